// `train`: from data to a checkpoint.
#include "runtime/Error.h"
#include "runtime/app/Json.h"
#include "runtime/app/Options.h"
#include "runtime/cpu/ThreadPool.h"
#include "runtime/io/Checkpoint.h"

namespace formwork::runtime {

static void checkOptions(const Options &options) {
  if (options.data.empty())
    throw UsageError("train needs data: --data FILE");
  if (options.validationSplit != 0 && !options.validationData.empty())
    throw UsageError("--validation-split and --validation-data exclude each other: give one");
}

namespace {
struct TrainingData {
  Dataset training;
  std::optional<Dataset> validation;
};
} // namespace

/// The data. All that is wrong with files, the one to be written too, is told before training.
static TrainingData loadData(const Options &options, const formwork_entry &entry) {
  TrainingData data;
  Mistakes mistakes;
  if (!options.output.empty())
    mistakes.gather([&] { checkCheckpointPath(options.output); });
  mistakes.gather([&] { data.training = loadDataset(options.data, entry, Part::Training); });
  if (!options.validationData.empty())
    mistakes.gather(
        [&] { data.validation = loadDataset(options.validationData, entry, Part::Test); });
  mistakes.raise();
  return data;
}

static Position loadWeights(Instance &instance, const std::string &file) {
  Position position = loadCheckpoint(file, instance);
  if (!position.complete)
    fprintf(stderr, "note: %s has weights but not the state of this optimizer, which begins anew\n",
            file.c_str());
  return position;
}

/// Variables to begin with, and how far the checkpoint that they come from has been trained.
static Position begin(Instance &instance, const Options &options) {
  int64_t seed = options.seed.value_or(0);
  instance.initialize(seed);
  Position position;
  if (!options.weights.empty())
    position = loadWeights(instance, options.weights);
  else if (instance.needsWeights())
    throw Error(
        text("%s: has no weights inside: name a checkpoint with --weights", instance.model().name));
  const formwork_variable *rng = findVariable(instance.model(), FORMWORK_RNG);
  if (options.seed && rng) // the first word is the seed, the second counts steps
    memcpy(instance.writableVariables() + rng->offset, &seed, sizeof(seed));
  if (options.seed || !position.known)
    position.seed = seed;
  if (options.initialEpoch)
    position.epoch = *options.initialEpoch;
  if (position.epoch >= options.epochs)
    throw Error(text("nothing to train: %lld epochs are done already and --epochs %lld is the last "
                     "one. Give a larger --epochs, or --initial-epoch 0 to count anew",
                     (long long)position.epoch, (long long)options.epochs));
  return position;
}

static FitOptions fitOptions(const Options &options, const Position &position) {
  FitOptions fit;
  fit.epochs = options.epochs;
  fit.initialEpoch = position.epoch;
  fit.batchSize = options.batchSize;
  fit.stepsPerEpoch = options.stepsPerEpoch;
  fit.validationSplit = options.validationSplit;
  fit.shuffle = options.shuffle;
  fit.terminateOnNaN = options.terminateOnNaN;
  fit.seed = position.seed;
  fit.display = options.quiet || options.json ? Display::Silent : displayFor(stdout);
  return fit;
}

static void printJson(const formwork_model &model, const Options &options, const History &history) {
  Json json;
  json.open('{').member("model", model.name).member("target", model.target);
  json.member("batch_size", options.batchSize).member("steps", history.steps);
  json.member("samples", history.samples).member("seconds", history.seconds);
  json.member("samples_per_second", double(history.samples) / history.seconds);
  json.key("history").open('{');
  for (const History::Series &series : history.series) {
    json.key(series.name.c_str()).open('[');
    for (const std::vector<double> &value : series.values)
      json.value(value);
    json.close(']');
  }
  puts(json.close('}').close('}').words().c_str());
}

static void printResult(const Options &options, const History &history) {
  printf("%lld samples in %.2f s: %.0f samples/s", (long long)history.samples, history.seconds,
         double(history.samples) / history.seconds);
  if (options.output.empty())
    printf("; the weights are not kept (-o FILE keeps them)\n");
  else
    printf("; written to %s\n", options.output.c_str());
}

int train(const formwork_model &model, const Options &options) {
  checkOptions(options);
  const formwork_entry &entry = requireEntry(model, "train_step");
  TrainingData data = loadData(options, entry);
  if (!options.classWeights.empty())
    applyClassWeights(data.training, options.classWeights,
                      trainingRows(data.training.rows, options.validationSplit));
  ThreadPool pool(options.threads);
  Instance instance(model, pool.context());
  Position position = begin(instance, options);
  History history = fit(instance, data.training, data.validation ? &*data.validation : nullptr,
                        fitOptions(options, position));
  if (!options.output.empty())
    saveCheckpoint(options.output, instance, {options.epochs, position.seed, true, true});
  if (options.json)
    printJson(model, options, history);
  else if (!options.quiet)
    printResult(options, history);
  return 0;
}

} // namespace formwork::runtime
