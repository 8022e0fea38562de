/* What is timed without Python in between: calls of produced code in a loop, and what this machine
 * can do at most, in arithmetic and in memory. Built with -O3 -march=native for this machine.
 *
 * GCC's vector extensions, as wide as the machine's vectors. Times are seconds. */
#include "runtime/formwork_runtime.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__AVX512F__)
#define VECTOR 64
#elif defined(__AVX__)
#define VECTOR 32
#else
#define VECTOR 16
#endif

enum { lanes = VECTOR / 4, accumulators = VECTOR == 64 ? 24 : 12, most_threads = 256 };

typedef float vector __attribute__((vector_size(VECTOR)));

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + 1e-9 * time.tv_nsec;
}

/* The seconds of `count` calls. */
double time_calls(formwork_function *run, const formwork_context *context, const void *constants,
                  void *state, void *arena, const int64_t *dims, void *const *buffers,
                  int64_t count) {
  double start = now();
  for (int64_t i = 0; i < count; ++i)
    if (run(context, constants, state, arena, dims, buffers))
      abort();
  return now() - start;
}

/* A library's matrix product, as Fortran calls it: columns first, everything by address. */
typedef void product(const char *, const char *, const int *, const int *, const int *,
                     const float *, const float *, const int *, const float *, const int *,
                     const float *, float *, const int *);

/* The seconds of `count` products c = a b of row-major matrices; a "t" is for a matrix that lies
 * transposed in memory. Read by columns all three are transposed: c' = b' a'. */
double time_products(product *run, char of_a, char of_b, int m, int n, int k, const float *a,
                     const float *b, float *c, int64_t count) {
  const float one = 1, zero = 0;
  const int a_columns = of_a == 't' ? m : k, b_columns = of_b == 't' ? k : n;
  double start = now();
  for (int64_t i = 0; i < count; ++i)
    run(&of_b, &of_a, &n, &m, &k, &one, b, &b_columns, a, &a_columns, &zero, c, &n);
  return now() - start;
}

/*---- probes --------------------------------------------------------------------------------------*/

typedef struct probe {
  double (*run)(struct probe *); /* what it did per second: FLOPs or bytes */
  double seconds;
  size_t bytes;
  double result;
  pthread_barrier_t *barrier;
} probe;

static volatile float sink;

/* Independent multiply-adds, as many as registers hold. */
static double multiply_add(probe *self) {
  vector sums[accumulators], factor, addend;
  for (int lane = 0; lane < lanes; ++lane)
    factor[lane] = 0.999f, addend[lane] = 0.001f;
  for (int i = 0; i < accumulators; ++i)
    sums[i] = addend;
  enum { steps = 4096 };
  double start = now(), spent = 0;
  int64_t rounds = 0;
  for (; (spent = now() - start) < self->seconds; ++rounds)
    for (int step = 0; step < steps; ++step)
#pragma GCC unroll 24
      for (int i = 0; i < accumulators; ++i)
        sums[i] = sums[i] * factor + addend;
  for (int i = 0; i < accumulators; ++i)
    sink = sums[i][0];
  return 2.0 * lanes * accumulators * steps * rounds / spent;
}

/* y = y * a + x over two halves of `bytes`: two reads and a write, all of which count. */
static double stream(probe *self) {
  size_t count = self->bytes / 2 / VECTOR;
  vector *x = aligned_alloc(VECTOR, count * VECTOR), *y = aligned_alloc(VECTOR, count * VECTOR);
  memset(x, 0, count * VECTOR);
  memset(y, 0, count * VECTOR);
  pthread_barrier_wait(self->barrier);
  double start = now(), spent = 0;
  int64_t rounds = 0;
  for (; (spent = now() - start) < self->seconds; ++rounds) {
    for (size_t i = 0; i < count; ++i)
      y[i] = y[i] * 0.5f + x[i];
    __asm__ volatile("" : : "r"(y) : "memory");
  }
  free(x);
  free(y);
  return 3.0 * count * VECTOR * rounds / spent;
}

static void *run_probe(void *given) {
  probe *self = given;
  self->result = self->run(self);
  return NULL;
}

/* The sum over threads that all run at the same time; the bytes are divided among them. */
static double on_threads(double (*run)(probe *), size_t bytes, double seconds, int threads) {
  pthread_t ids[most_threads];
  probe probes[most_threads];
  pthread_barrier_t barrier;
  double sum = 0;
  if (threads > most_threads)
    threads = most_threads;
  pthread_barrier_init(&barrier, NULL, threads);
  for (int i = 0; i < threads; ++i) {
    probes[i] = (probe){run, seconds, bytes / threads, 0, &barrier};
    if (i > 0)
      pthread_create(&ids[i], NULL, run_probe, &probes[i]);
  }
  run_probe(&probes[0]);
  for (int i = 1; i < threads; ++i)
    pthread_join(ids[i], NULL);
  for (int i = 0; i < threads; ++i)
    sum += probes[i].result;
  pthread_barrier_destroy(&barrier);
  return sum;
}

double multiply_adds_per_second(double seconds, int threads) {
  return on_threads(multiply_add, 0, seconds, threads);
}

double bytes_per_second(double seconds, int threads, size_t bytes) {
  return on_threads(stream, bytes, seconds, threads);
}
