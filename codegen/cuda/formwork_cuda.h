// What kernels call beside CUDA's own functions. Part of each file of kernels: needs no header, so
// that NVRTC finds nothing missing.
#ifdef __CUDACC_RTC__
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#endif
#ifndef NAN
#define NAN __int_as_float(0x7fffffff)
#endif
#ifndef INT32_MIN
#define INT32_MIN (-2147483647 - 1)
#endif
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
__device__ __forceinline__ unsigned fw_multiply_high(unsigned a, unsigned b) {
  return __umulhi(a, b);
}
__device__ __forceinline__ unsigned long long fw_multiply_high(unsigned long long a,
                                                               unsigned long long b) {
  return __umul64hi(a, b);
}
