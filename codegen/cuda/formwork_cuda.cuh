// What kernels call beside CUDA's own functions. Part of each file of kernels; NVRTC needs no
// header for it.
#ifdef __CUDACC_RTC__
typedef signed char int8_t;
typedef short int16_t;
typedef int int32_t;
typedef long long int64_t;
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned uint32_t;
typedef unsigned long long uint64_t;
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#endif
#ifndef NAN
#define NAN __int_as_float(0x7fffffff)
#endif
#ifndef INT32_MIN
#define INT32_MIN (-2147483647 - 1)
#endif
#else
#include <math.h>
#include <stdint.h>
#endif

template <typename T> __device__ __forceinline__ T fw_min(T a, T b) { return b < a ? b : a; }
template <typename T> __device__ __forceinline__ T fw_max(T a, T b) { return a < b ? b : a; }

// NaN if either is.
template <typename T> __device__ __forceinline__ T fw_minimum(T a, T b) {
  return a != a ? a : b < a || b != b ? b : a;
}
template <typename T> __device__ __forceinline__ T fw_maximum(T a, T b) {
  return a != a ? a : a < b || b != b ? b : a;
}

// The same bits as another type.
template <typename To, typename From> __device__ __forceinline__ To fw_bit_cast(From from) {
  static_assert(sizeof(To) == sizeof(From), "types of different sizes");
  union {
    From from;
    To to;
  } bits;
  bits.from = from;
  return bits.to;
}

// The upper half of a product.
__device__ __forceinline__ uint32_t fw_multiply_high(uint32_t a, uint32_t b) {
  return __umulhi(a, b);
}
__device__ __forceinline__ uint64_t fw_multiply_high(uint64_t a, uint64_t b) {
  return __umul64hi(a, b);
}
