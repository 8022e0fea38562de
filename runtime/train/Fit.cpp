// Training, evaluation and prediction over a data set; see Fit.h.
#include "runtime/train/Fit.h"

#include "runtime/Error.h"
#include "runtime/train/Shuffle.h"

#include <algorithm>
#include <cmath>

namespace formwork::runtime {

static int64_t divideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

void History::add(int64_t number, const Metrics::Values &values) {
  epoch.push_back(number);
  for (auto &[name, value] : values) {
    auto found = std::find_if(series.begin(), series.end(),
                              [&name = name](const Series &s) { return s.name == name; });
    if (found == series.end())
      found = series.insert(series.end(), {name, {}});
    found->values.push_back(value);
  }
}

//===--- training ---------------------------------------------------------------------------------

int64_t trainingRows(int64_t rows, double validationSplit) {
  if (validationSplit == 0)
    return rows;
  auto kept = int64_t(std::floor(double(rows) * (1.0 - validationSplit)));
  if (kept > 0 && kept < rows)
    return kept;
  throw Error(text("the data have %lld samples, too few to keep --validation-split %g of them for "
                   "validation: give more data or another split",
                   (long long)rows, validationSplit));
}

namespace {
/// Which batches an epoch has. With steps per epoch, a pass over the data may take several epochs;
/// the one in which the data run out is shorter, as in Keras.
struct Plan {
  Plan(int64_t rows, const FitOptions &options)
      : batches(divideUp(rows, options.batchSize)),
        perEpoch(options.stepsPerEpoch ? std::min(options.stepsPerEpoch, batches) : batches),
        epochsPerPass(divideUp(batches, perEpoch)) {}

  int64_t pass(int64_t epoch) const { return epoch / epochsPerPass; }
  int64_t firstBatch(int64_t epoch) const { return epoch % epochsPerPass * perEpoch; }
  int64_t steps(int64_t epoch) const { return std::min(perEpoch, batches - firstBatch(epoch)); }

  int64_t batches, perEpoch, epochsPerPass;
};

class Trainer {
public:
  Trainer(Instance &instance, const Dataset &data, const Dataset *validation,
          const FitOptions &options)
      : instance(instance), data(data), validation(validation), options(options),
        trainRows(trainingRows(data.rows, options.validationSplit)), plan(trainRows, options),
        step(instance, requireEntry(instance.model(), "train_step"), data), metrics(instance),
        progress(options.display, stdout) {}

  History run() {
    auto start = std::chrono::steady_clock::now();
    if (options.stepsPerEpoch > plan.batches)
      progress.note(text("note: --steps-per-epoch %lld is more than the %lld batches that the data "
                         "have; an epoch is one pass over them",
                         (long long)options.stepsPerEpoch, (long long)plan.batches));
    for (int64_t epoch = options.initialEpoch; epoch < options.epochs; ++epoch)
      runEpoch(epoch);
    if (const formwork_entry *finalize = findEntry(instance.model(), "finalize"))
      instance.run(*finalize, nullptr, nullptr);
    history.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return std::move(history);
  }

private:
  void runEpoch(int64_t epoch) {
    int64_t steps = plan.steps(epoch);
    progress.begin(options.epochs > 1
                       ? text("Epoch %lld/%lld", (long long)(epoch + 1), (long long)options.epochs)
                       : "",
                   steps);
    shuffle(plan.pass(epoch));
    metrics.reset();
    for (int64_t i = 0; i < steps; ++i) {
      runBatch(plan.firstBatch(epoch) + i);
      checkLoss(epoch, i);
      if (i + 1 < steps && progress.due())
        progress.show(i + 1, metrics.read());
    }
    Metrics::Values values = metrics.read();
    checkLoss(epoch, steps - 1); // a GPU's last loss comes with the metrics
    for (auto &[name, value] : validate())
      values.emplace_back("val_" + name, value);
    history.add(epoch, values);
    progress.finish(steps, values);
  }

  void shuffle(int64_t pass) {
    if (!options.shuffle || shuffledFor == pass)
      return;
    order = shuffledOrder(trainRows, uint64_t(options.seed), uint64_t(pass));
    shuffledFor = pass;
  }

  void runBatch(int64_t batch) {
    int64_t first = batch * options.batchSize;
    int64_t count = std::min(options.batchSize, trainRows - first);
    step.run(options.shuffle ? order.data() + first : nullptr, first, count);
    ++history.steps;
    history.samples += count;
  }

  /// Weights that such a loss has moved are lost: it is an Error, as with Keras's TerminateOnNaN.
  /// As Keras without it, training can be told to go on; then it is said once.
  void checkLoss(int64_t epoch, int64_t index) {
    if (warned || std::isfinite(step.loss()))
      return;
    warned = true;
    double loss = std::isnan(step.loss()) ? NAN : step.loss(); // its sign means nothing
    std::string where = text("the loss became %g in epoch %lld, step %lld", loss,
                             (long long)(epoch + 1), (long long)(index + 1));
    std::string why = "a lower learning rate or scaled inputs may help";
    for (const Column &column : data.columns)
      if (std::string place = findNotFinite(column.array); !place.empty())
        why = text("%s: array %s, %s", column.array.file.c_str(), quoted(column.array.name).c_str(),
                   place.c_str());
    if (options.terminateOnNaN)
      throw Error(text("%s, so that training was stopped and its result is not kept: %s. "
                       "--no-terminate-on-nan goes on nevertheless",
                       where.c_str(), why.c_str()));
    progress.note(
        text("warning: %s; training goes on, but rarely recovers: %s", where.c_str(), why.c_str()));
  }

  Metrics::Values validate() {
    if (validation)
      return evaluate(instance, *validation, 0, validation->rows, options.batchSize);
    if (trainRows < data.rows)
      return evaluate(instance, data, trainRows, data.rows, options.batchSize);
    return {};
  }

  Instance &instance;
  const Dataset &data;
  const Dataset *validation;
  const FitOptions &options;
  int64_t trainRows;
  Plan plan;
  Step step;
  Metrics metrics;
  Progress progress;
  History history;
  std::vector<int64_t> order;
  int64_t shuffledFor = -1;
  bool warned = false;
};
} // namespace

History fit(Instance &instance, const Dataset &data, const Dataset *validation,
            const FitOptions &options) {
  return Trainer(instance, data, validation, options).run();
}

//===--- evaluation and prediction ----------------------------------------------------------------

Metrics::Values evaluate(Instance &instance, const Dataset &data, int64_t begin, int64_t end,
                         int64_t batchSize, Progress *progress) {
  Step step(instance, requireEntry(instance.model(), "evaluate_step"), data);
  Metrics metrics(instance);
  metrics.reset();
  int64_t steps = divideUp(end - begin, batchSize);
  if (progress)
    progress->begin("", steps);
  for (int64_t i = 0; i < steps; ++i) {
    int64_t first = begin + i * batchSize;
    step.run(nullptr, first, std::min(batchSize, end - first));
    if (progress && i + 1 < steps && progress->due())
      progress->show(i + 1, metrics.read());
  }
  Metrics::Values values = metrics.read();
  if (progress)
    progress->finish(steps, values);
  return values;
}

/// Room for an output's values for all samples.
static Array makeOutput(const formwork_tensor &tensor, const Dataset &data) {
  Array array;
  array.name = tensor.name;
  array.type = elementType(formwork_dtype(tensor.dtype));
  for (int64_t size : shape(tensor))
    array.shape.push_back(resolve(size, data.dims.data()));
  if (array.shape.empty())
    throw Error(text("output %s is a single number, not one per sample: it cannot be predicted "
                     "batch by batch",
                     quoted(tensor.name).c_str()));
  array.shape[0] = data.rows;
  auto memory = std::make_shared<AlignedMemory>(array.bytes());
  array.data = memory->data();
  array.owner = memory;
  return array;
}

std::vector<Array> predict(Instance &instance, const Dataset &data, int64_t batchSize,
                           Progress *progress) {
  const formwork_entry &entry = requireEntry(instance.model(), "predict");
  Step step(instance, entry, data);
  std::vector<Array> results;
  for (int i = 0; i < entry.buffer_count; ++i) {
    if (entry.buffers[i].role != FORMWORK_OUTPUT)
      continue;
    Array &array = results.emplace_back(makeOutput(entry.buffers[i], data));
    step.collect(i, const_cast<std::byte *>(array.data), array.bytes() / data.rows);
  }
  int64_t steps = divideUp(data.rows, batchSize);
  if (progress)
    progress->begin("", steps);
  for (int64_t i = 0; i < steps; ++i) {
    step.run(nullptr, i * batchSize, std::min(batchSize, data.rows - i * batchSize));
    if (progress && i + 1 < steps && progress->due())
      progress->show(i + 1, {});
  }
  instance.finish();
  if (progress)
    progress->finish(steps, {});
  return results;
}

} // namespace formwork::runtime
