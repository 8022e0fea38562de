// Denormal numbers are flushed to zero on every thread that runs a model, as TensorFlow and JAX do:
// they cost a factor of seven and mean nothing. Entry points set the mode on the calling thread
// themselves, and restore it; threads of a pool keep it.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <cstdint>
#endif

namespace formwork::runtime {

inline void flushDenormals() {
#if defined(__x86_64__)
  _mm_setcsr(_mm_getcsr() | 0x8040); // flush results to zero, read denormals as zero
#elif defined(__aarch64__)
  uint64_t control;
  asm volatile("mrs %0, fpcr" : "=r"(control));
  asm volatile("msr fpcr, %0" : : "r"(control | uint64_t(1) << 24));
#endif
}

} // namespace formwork::runtime
