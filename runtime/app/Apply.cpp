// `evaluate` and `predict`: a trained model over data.
#include "runtime/Error.h"
#include "runtime/app/Json.h"
#include "runtime/app/Options.h"
#include "runtime/cpu/ThreadPool.h"
#include "runtime/data/ArrayFile.h"
#include "runtime/io/Checkpoint.h"

#include <algorithm>

namespace formwork::runtime {

static void loadWeights(Instance &instance, const Options &options) {
  const formwork_model &model = instance.model();
  instance.initialize(/*seed=*/0);
  if (!options.weights.empty())
    loadCheckpoint(options.weights, instance);
  else if (!model.initial_state && findEntry(model, "init"))
    fprintf(stderr, "note: this model has no trained weights inside; these are fresh ones "
                    "(--weights FILE brings others)\n");
  else if (instance.needsWeights())
    throw Error(
        text("%s: has no weights inside: name a checkpoint with --weights", instance.model().name));
}

int evaluateCommand(const formwork_model &model, const Options &options) {
  if (options.data.empty())
    throw UsageError("evaluate needs data: --data FILE");
  const formwork_entry &entry = requireEntry(model, "evaluate_step");
  ThreadPool pool(options.threads);
  Instance instance(model, pool.context());
  loadWeights(instance, options);
  Dataset data = loadDataset(options.data, entry, Part::Test);
  bool silent = options.quiet || options.json;
  Progress progress(silent ? Display::Silent : displayFor(stdout), stdout);
  Metrics::Values values =
      evaluate(instance, data, 0, data.rows, options.batchSize, silent ? nullptr : &progress);
  if (options.json) {
    Json json;
    json.open('{');
    for (auto &[name, value] : values)
      json.member(name.c_str(), value);
    puts(json.close('}').words().c_str());
  } else if (options.quiet) {
    puts(formatMetrics(values).c_str());
  }
  return 0;
}

int predictCommand(const formwork_model &model, const Options &options) {
  if (options.data.empty() || options.output.empty())
    throw UsageError("predict needs inputs and a file for the outputs: --input FILE -o FILE");
  const formwork_entry &entry = requireEntry(model, "predict");
  auto isOutput = [](const formwork_tensor &tensor) { return tensor.role == FORMWORK_OUTPUT; };
  Mistakes mistakes;
  mistakes.gather([&] {
    checkArraysName(options.output, std::ranges::count_if(buffers(entry), isOutput));
    checkWritable(options.output);
  });
  Dataset data;
  mistakes.gather([&] { data = loadDataset(options.data, entry, Part::Test); });
  mistakes.raise();
  ThreadPool pool(options.threads);
  Instance instance(model, pool.context());
  loadWeights(instance, options);
  Progress progress(options.quiet ? Display::Silent : displayFor(stdout), stdout);
  std::vector<Array> outputs = predict(instance, data, options.batchSize, &progress);
  writeArrays(options.output, outputs);
  return 0;
}

} // namespace formwork::runtime
