// What is timed without Python in between: calls of produced code, or of a library, in a loop; and
// the runtime's probes of the machine, for ctypes. Times are seconds.
#include "runtime/app/Probe.h"
#include "runtime/formwork_runtime.h"

#include <chrono>
#include <cstdlib>

static double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The seconds of `count` calls.
extern "C" double time_calls(formwork_function *run, const formwork_context *context,
                             const void *constants, void *state, void *arena, const int64_t *dims,
                             void *const *buffers, int64_t count) {
  double start = now();
  for (int64_t i = 0; i < count; ++i)
    if (run(context, constants, state, arena, dims, buffers))
      abort();
  return now() - start;
}

/// A library's matrix product, as Fortran calls it: columns first, everything by address.
using Product = void(const char *, const char *, const int *, const int *, const int *,
                     const float *, const float *, const int *, const float *, const int *,
                     const float *, float *, const int *);

/// The seconds of `count` products c = a b of row-major matrices; a "t" is for a matrix that lies
/// transposed in memory. Read by columns all three are transposed: c' = b' a'.
extern "C" double time_products(Product *run, char of_a, char of_b, int m, int n, int k,
                                const float *a, const float *b, float *c, int64_t count) {
  const float one = 1, zero = 0;
  const int a_columns = of_a == 't' ? m : k, b_columns = of_b == 't' ? k : n;
  double start = now();
  for (int64_t i = 0; i < count; ++i)
    run(&of_b, &of_a, &n, &m, &k, &one, b, &b_columns, a, &a_columns, &zero, c, &n);
  return now() - start;
}

extern "C" double multiply_adds_per_second(double seconds, int threads) {
  return formwork::runtime::multiplyAddsPerSecond(threads, seconds);
}

extern "C" double bytes_per_second(double seconds, int threads, size_t bytes) {
  return formwork::runtime::bytesPerSecond(threads, seconds, formwork::runtime::probedSize(bytes));
}
