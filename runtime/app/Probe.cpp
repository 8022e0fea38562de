// Loops that are compiled once for each width of vectors; the processor's own is chosen when they
// run.
#include "runtime/app/Probe.h"

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <functional>
#include <iterator>
#include <numeric>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#define FOR_TARGET(features) __attribute__((target(features)))
#endif

namespace formwork::runtime {

typedef float Vector16 __attribute__((vector_size(16)));
typedef float Vector32 __attribute__((vector_size(32)));
typedef float Vector64 __attribute__((vector_size(64)));

static double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// As many sums as registers hold, none of which waits for another.
template <typename Vector, int sums>
[[gnu::always_inline]] static inline double multiplyAdd(double seconds) {
  constexpr int steps = 4096;
  Vector values[sums] = {};
  const Vector factor = Vector{} + 0.999f, addend = Vector{} + 0.001f;
  double start = now(), spent = 0;
  int64_t rounds = 0;
  for (; (spent = now() - start) < seconds; ++rounds)
    for (int step = 0; step < steps; ++step)
#pragma GCC unroll 24
      for (int i = 0; i < sums; ++i)
        values[i] = values[i] * factor + addend;
  for (int i = 0; i < sums; ++i)
    __asm__ volatile("" : : "m"(values[i]));
  return 2.0 * (sizeof(Vector) / sizeof(float)) * sums * steps * double(rounds) / spent;
}

template <typename Vector>
[[gnu::always_inline]] static inline double stream(double seconds, float *x, float *y,
                                                   size_t count) {
  constexpr size_t lanes = sizeof(Vector) / sizeof(float);
  double start = now(), spent = 0;
  int64_t rounds = 0;
  for (; (spent = now() - start) < seconds; ++rounds) {
    for (size_t i = 0; i < count; i += lanes) {
      Vector *to = reinterpret_cast<Vector *>(y + i);
      *to = *to * 0.5f + *reinterpret_cast<const Vector *>(x + i);
    }
    __asm__ volatile("" : : "r"(y) : "memory");
  }
  return 3.0 * double(count * sizeof(float)) * double(rounds) / spent;
}

#if defined(__x86_64__)
FOR_TARGET("avx512f") static double multiplyAdd64(double seconds) {
  return multiplyAdd<Vector64, 24>(seconds);
}
FOR_TARGET("avx2,fma") static double multiplyAdd32(double seconds) {
  return multiplyAdd<Vector32, 12>(seconds);
}
FOR_TARGET("avx512f") static double stream64(double seconds, float *x, float *y, size_t count) {
  return stream<Vector64>(seconds, x, y, count);
}
FOR_TARGET("avx2,fma") static double stream32(double seconds, float *x, float *y, size_t count) {
  return stream<Vector32>(seconds, x, y, count);
}
#endif

static double multiplyAddHere(double seconds) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f"))
    return multiplyAdd64(seconds);
  if (__builtin_cpu_supports("fma"))
    return multiplyAdd32(seconds);
#endif
  return multiplyAdd<Vector16, 12>(seconds);
}

static double streamHere(double seconds, float *x, float *y, size_t count) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f"))
    return stream64(seconds, x, y, count);
  if (__builtin_cpu_supports("fma"))
    return stream32(seconds, x, y, count);
#endif
  return stream<Vector16>(seconds, x, y, count);
}

/// The most that one of many short runs did: what the machine can do, not what it had left over.
static double best(double seconds, const std::function<double(double)> &run) {
  constexpr double slice = 0.001;
  double most = 0;
  for (double end = now() + seconds; now() < end;)
    most = std::max(most, run(slice));
  return most;
}

/// The sum of what each thread does per second, all at the same time.
static double onThreads(int threads, const std::function<double(std::barrier<> &)> &run) {
  std::barrier<> ready(threads);
  std::vector<double> rates(threads);
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i)
    others.emplace_back([&, i] { rates[i] = run(ready); });
  rates[0] = run(ready);
  for (std::thread &other : others)
    other.join();
  return std::accumulate(rates.begin(), rates.end(), 0.0);
}

double multiplyAddsPerSecond(int threads, double seconds) {
  return onThreads(threads, [&](std::barrier<> &ready) {
    ready.arrive_and_wait();
    return best(seconds, multiplyAddHere);
  });
}

double bytesPerSecond(int threads, double seconds, size_t bytes) {
  // Whole vectors, of which each thread has its own.
  const size_t count = bytes / size_t(threads) / 2 / sizeof(Vector64) * 16;
  return onThreads(threads, [&](std::barrier<> &ready) {
    std::vector<Vector64> x(count / 16), y(count / 16);
    ready.arrive_and_wait();
    return best(seconds, [&](double slice) {
      return streamHere(slice, reinterpret_cast<float *>(x.data()),
                        reinterpret_cast<float *>(y.data()), count);
    });
  });
}

size_t probedSize(size_t bytes) {
  for (size_t size : probedSizes)
    if (bytes <= size)
      return size;
  return *std::rbegin(probedSizes);
}

} // namespace formwork::runtime
