// `bench`: how fast the model runs here, on random data; with --profile, which kernels take how
// much of it, by medians of launches. Reading the clock costs some 50 ns of each.
#include "runtime/Error.h"
#include "runtime/app/Json.h"
#include "runtime/app/Options.h"
#include "runtime/app/Probe.h"
#include "runtime/app/Profile.h"
#include "runtime/cpu/ThreadPool.h"
#include "runtime/data/RandomData.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>

namespace formwork::runtime {

namespace {
struct Timing {
  const char *function;
  std::vector<int64_t> dims;
  bool specialized; // to these very sizes
  double seconds;   // median of a call
  int64_t arena;
  std::vector<KernelProfile> kernels; // of one call, on average; empty without --profile
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

/// Kernels of one call, on average over about half a second.
static std::vector<KernelProfile> profileCalls(Instance &instance, const formwork_entry &entry,
                                               const int64_t *dims, void *const *buffers,
                                               double seconds) {
  const formwork_concrete &concrete = instance.select(entry, dims);
  const int64_t calls = std::clamp<int64_t>(int64_t(0.5 / seconds), 3, 20000);
  takeProfile(); // forgets what ran before
  for (int64_t i = 0; i < calls; ++i)
    instance.run(entry, concrete, dims, buffers);
  std::vector<KernelProfile> kernels = takeProfile();
  for (KernelProfile &kernel : kernels) {
    kernel.calls /= calls;
    kernel.flops /= calls;
    kernel.bytes /= calls;
    kernel.seconds /= double(calls);
  }
  return kernels;
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
  std::vector<KernelProfile> kernels;
  if (options.profile)
    kernels = profileCalls(instance, entry, dims.data(), pointers.data(), seconds);
  return {
      entry.name,        dims, concrete.dims != nullptr, seconds, concrete.arena_size(dims.data()),
      std::move(kernels)};
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

/// Kernels of the same layers as one, those that take longest first.
static std::vector<KernelProfile> byLayers(const std::vector<KernelProfile> &kernels) {
  std::vector<KernelProfile> sums;
  for (const KernelProfile &kernel : kernels) {
    auto sum = std::find_if(sums.begin(), sums.end(), [&](const KernelProfile &one) {
      return !strcmp(one.layers, kernel.layers);
    });
    if (sum == sums.end()) {
      sums.push_back(kernel);
      sums.back().kernel = kernel.layers;
      continue;
    }
    bool known = sum->flops && kernel.flops, measured = sum->bytes && kernel.bytes;
    sum->flops = known ? sum->flops + kernel.flops : 0;
    sum->bytes = measured ? sum->bytes + kernel.bytes : 0;
    sum->calls += kernel.calls;
    sum->seconds += kernel.seconds;
  }
  return sums;
}

namespace {
/// What the machine can do at most, on as many threads as the model has.
class Bounds {
public:
  explicit Bounds(int threads) : flops(multiplyAddsPerSecond(threads, seconds)) {
    for (size_t size : probedSizes)
      bytes[size] = bytesPerSecond(threads, seconds, size);
  }
  /// The part of a kernel's time that would do; 0 if FLOPs and bytes are unknown.
  double shareOf(const KernelProfile &kernel) const {
    size_t moved = kernel.calls ? size_t(kernel.bytes / kernel.calls) : 0;
    double least =
        std::max(double(kernel.flops) / flops, double(kernel.bytes) / bytes.at(probedSize(moved)));
    return kernel.seconds > 0 ? least / kernel.seconds : 0;
  }

  static constexpr double seconds = 0.03; // of each probe
  double flops;                           // per second
  std::map<size_t, double> bytes;         // per second, of each size
};
} // namespace

/// 12.3, or a dash if the amount is unknown.
static std::string rate(int64_t amount, double seconds) {
  return amount ? text("%.1f", double(amount) / seconds * 1e-9) : "-";
}

static void printProfile(const char *title, const Bounds &bounds, std::vector<KernelProfile> rows,
                         bool layers) {
  double all = 0;
  for (const KernelProfile &row : rows)
    all += row.seconds;
  std::sort(rows.begin(), rows.end(),
            [](const KernelProfile &a, const KernelProfile &b) { return a.seconds > b.seconds; });
  printf("  %-40s %7s %10s %6s %8s %8s %6s%s\n", title, "calls", "us", "part", "GF/s", "GB/s",
         "share", layers ? "  layers" : "");
  for (const KernelProfile &row : rows)
    printf("  %-40s %7lld %10.2f %5.1f%% %8s %8s %6s%s%s\n", *row.kernel ? row.kernel : "none",
           (long long)row.calls, row.seconds * 1e6, 100 * row.seconds / all,
           rate(row.flops, row.seconds).c_str(), rate(row.bytes, row.seconds).c_str(),
           row.flops || row.bytes ? text("%.2f", bounds.shareOf(row)).c_str() : "-",
           layers ? "  " : "", layers ? row.layers : "");
}

static void printProfiles(const Bounds &bounds, const std::vector<Timing> &timings) {
  printf("\nThis machine, meanwhile: %.1f GF/s of multiply-adds; GB/s of", bounds.flops * 1e-9);
  for (auto [size, rate] : bounds.bytes)
    printf(" %zu KiB: %.1f", size >> 10, rate * 1e-9);
  printf("\n`share` is the least time that these leave a kernel, as a part of its own.\n");
  for (const Timing &timing : timings) {
    double kernels = 0;
    for (const KernelProfile &kernel : timing.kernels)
      kernels += kernel.seconds;
    printf("\n%s: %.2f us in kernels, of a median of %.2f us\n", timing.function, kernels * 1e6,
           timing.seconds * 1e6);
    printProfile("layers", bounds, byLayers(timing.kernels), /*layers=*/false);
    printProfile("kernel", bounds, timing.kernels, /*layers=*/true);
  }
}

static void writeKernels(Json &json, const std::vector<KernelProfile> &kernels) {
  json.key("kernels").open('[');
  for (const KernelProfile &kernel : kernels) {
    json.open('{').member("kernel", kernel.kernel).member("layers", kernel.layers);
    json.member("calls", kernel.calls).member("seconds", kernel.seconds);
    json.member("flops", kernel.flops).member("bytes", kernel.bytes).close('}');
  }
  json.close(']');
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
    if (!timing.kernels.empty())
      writeKernels(json, timing.kernels);
    json.close('}');
  }
  puts(json.close(']').close('}').words().c_str());
}

/// A profile needs code that books its time, on a CPU.
static void checkProfile(const Instance &instance, const std::vector<Timing> &timings) {
  const char *name = instance.model().name;
  if (const char *device = instance.deviceName())
    throw Error(text("%s runs on %s, where kernels are not timed one by one; FORMWORK_DEVICE=cpu "
                     "profiles the CPU's code, if there is any",
                     name, device));
  for (const Timing &timing : timings)
    if (timing.kernels.empty())
      throw Error(text("%s was not compiled to be profiled; `formwork bench MODEL --profile` "
                       "compiles it so and runs it",
                       name));
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
  if (options.profile)
    checkProfile(instance, timings);
  (options.json ? printJson : printTable)(instance, pool.size(), options.batchSize, timings);
  if (options.profile && !options.json)
    printProfiles(Bounds(pool.size()), timings);
  return 0;
}

} // namespace formwork::runtime
