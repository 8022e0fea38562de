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

// Tests that run kernels elsewhere have these of their own.
#ifndef FW_WITHOUT_PTX

// Four bytes from memory to shared memory, of which `read` are read and the others zeros. They are
// there when the group that they are committed in has been waited for, and a barrier passed.
__device__ __forceinline__ void fw_copy_async(float *to, const float *from, int read) {
  unsigned shared = unsigned(__cvta_generic_to_shared(to));
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared), "l"(from), "r"(read)
               : "memory");
}
__device__ __forceinline__ void fw_commit_copies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
// Waits until no more than `Left` of the committed groups are on their way.
template <int Left> __device__ __forceinline__ void fw_wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(Left) : "memory");
}

// To the nearest number with a mantissa of ten bits, ties away from zero.
__device__ __forceinline__ float fw_to_tf32(float x) {
  unsigned bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return __uint_as_float(bits);
}

// A warp's product of 16 by 8 and 8 by 8, added to `sums`. Each lane has four elements of the left
// operand, two of the right one and four sums, as mma.m16n8k8 lays them out.
__device__ __forceinline__ void fw_mma_tf32(float *sums, const float *left, const float *right) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(__float_as_uint(left[0])), "r"(__float_as_uint(left[1])),
        "r"(__float_as_uint(left[2])), "r"(__float_as_uint(left[3])),
        "r"(__float_as_uint(right[0])), "r"(__float_as_uint(right[1])));
}

#endif
