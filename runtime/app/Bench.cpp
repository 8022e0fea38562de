// `bench`: how fast the model runs here, on random data.
#include "runtime/Error.h"
#include "runtime/app/Json.h"
#include "runtime/app/Options.h"
#include "runtime/cpu/ThreadPool.h"
#include "runtime/data/RandomData.h"

#include <algorithm>
#include <chrono>

namespace formwork::runtime {

namespace {
struct Timing {
  const char *function;
  std::vector<int64_t> dims;
  bool specialized; // to these very sizes
  double seconds;   // median of a call
  int64_t arena;
};
} // namespace

/// Sizes of an entry's symbols: those of a compilation for this batch, else of any; a symbol that
/// none of them fixes is 16.
static std::vector<int64_t> chooseDims(const formwork_entry &entry, int64_t batch) {
  std::vector<int64_t> dims(entry.dim_count, 16);
  const int64_t *model = nullptr;
  for (const formwork_concrete &concrete : concretes(entry))
    if (concrete.dims && (!model || concrete.dims[0] == batch))
      model = concrete.dims;
  if (model)
    std::copy(model, model + entry.dim_count, dims.begin());
  if (!dims.empty())
    dims[0] = batch;
  return dims;
}

/// Calls to a GPU that are timed together: it works on one while the next is prepared, as in
/// training.
static constexpr int callsInFlight = 16;

/// The median duration of a call, over about a second.
static double medianSeconds(Instance &instance, const formwork_entry &entry, const int64_t *dims,
                            void *const *buffers) {
  using Clock = std::chrono::steady_clock;
  const formwork_concrete &concrete = instance.select(entry, dims);
  auto begin = Clock::now();
  auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  const int calls = instance.deviceName() ? callsInFlight : 1;
  std::vector<double> samples;
  for (int i = 0; i < 10; ++i) // caches, branch predictors, clock rate
    instance.run(entry, concrete, dims, buffers);
  while (samples.size() < 10 || (since(begin) < 1 && samples.size() < 100000)) {
    auto start = Clock::now();
    for (int i = 0; i < calls; ++i)
      instance.start(entry, concrete, dims, buffers);
    instance.finish();
    samples.push_back(since(start) / calls);
  }
  auto median = samples.begin() + ptrdiff_t(samples.size() / 2);
  std::nth_element(samples.begin(), median, samples.end());
  return *median;
}

static Timing timeEntry(Instance &instance, const formwork_entry &entry, const Options &options) {
  std::vector<int64_t> dims = chooseDims(entry, options.batchSize);
  std::vector<AlignedMemory> memory;
  std::vector<void *> pointers;
  for (const formwork_tensor &tensor : buffers(entry)) {
    int64_t count = elementCount(tensor, dims.data());
    memory.emplace_back(count * elementSize(tensor.dtype));
    pointers.push_back(memory.back().data());
    if (isData(tensor))
      fillRandomly(tensor, count, uint64_t(options.seed.value_or(0)) + pointers.size(),
                   memory.back().data());
  }
  double seconds = medianSeconds(instance, entry, dims.data(), pointers.data());
  const formwork_concrete &concrete = instance.select(entry, dims.data());
  return {entry.name, dims, concrete.dims != nullptr, seconds, concrete.arena_size(dims.data())};
}

/// Where the model runs.
static std::string placeOf(const Instance &instance, int threads) {
  if (const char *device = instance.deviceName())
    return device;
  return text("%d thread%s", threads, threads == 1 ? "" : "s");
}

static void printTable(const Instance &instance, int threads, int64_t batch,
                       const std::vector<Timing> &timings) {
  const formwork_model &model = instance.model();
  printf("%s for %s, %s, random data\n\n", model.name, model.target,
         placeOf(instance, threads).c_str());
  printf("%-12s %-12s %12s %12s %14s %12s\n", "function", "sizes", "median", "calls/s", "samples/s",
         "arena");
  for (const Timing &timing : timings)
    printf("%-12s %-12s %9.2f us %12.0f %14.0f %8.1f KiB%s\n", timing.function,
           describeShape(timing.dims).c_str(), timing.seconds * 1e6, 1 / timing.seconds,
           double(batch) / timing.seconds, double(timing.arena) / 1024,
           timing.specialized ? "" : "  (general function)");
}

static void printJson(const Instance &instance, int threads, int64_t batch,
                      const std::vector<Timing> &timings) {
  const formwork_model &model = instance.model();
  Json json;
  json.open('{').member("model", model.name).member("target", model.target);
  json.member("place", placeOf(instance, threads).c_str());
  json.member("threads", threads).member("batch_size", batch).key("functions").open('[');
  for (const Timing &timing : timings) {
    json.open('{').member("function", timing.function);
    json.member("median_seconds", timing.seconds).member("steps_per_second", 1 / timing.seconds);
    json.member("samples_per_second", double(batch) / timing.seconds);
    json.member("arena_bytes", timing.arena).member("specialized", timing.specialized);
    json.close('}');
  }
  puts(json.close(']').close('}').words().c_str());
}

int bench(const formwork_model &model, const Options &options) {
  ThreadPool pool(options.threads);
  Instance instance(model, pool.context());
  instance.initialize(options.seed.value_or(0));
  std::vector<Timing> timings;
  for (const char *name : {"predict", "train_step"})
    if (const formwork_entry *entry = findEntry(model, name))
      timings.push_back(timeEntry(instance, *entry, options));
  if (timings.empty())
    throw Error(text("%s: has neither predict nor train_step to time", model.name));
  (options.json ? printJson : printTable)(instance, pool.size(), options.batchSize, timings);
  return 0;
}

} // namespace formwork::runtime
