// Copies of rows with gaps between them, which the driver's own copies are not made for.
#pragma once

#include "codegen/cuda/HostSchedule.h"

namespace formwork::cuda {

/// Both are (to, to_stride, from, from_stride, width, rows), sizes in words or bytes.
constexpr llvm::StringLiteral copyKernelsText = R"(
// copies rows with gaps between them
template <typename T>
__device__ __forceinline__ void fw_copy_rows(T *to, int64_t to_stride, const T *from,
    int64_t from_stride, int64_t width, int64_t rows) {
  int64_t i = int64_t(blockIdx.x) * 256 + int64_t(threadIdx.x);
  if (i < width * rows)
    to[i / width * to_stride + i % width] = from[i / width * from_stride + i % width];
}

extern "C" __global__ void __launch_bounds__(256)
fw_copy_words(uint32_t *to, int64_t to_stride, const uint32_t *from, int64_t from_stride,
    int64_t width, int64_t rows) {
  fw_copy_rows(to, to_stride, from, from_stride, width, rows);
}

extern "C" __global__ void __launch_bounds__(256)
fw_copy_bytes(uint8_t *to, int64_t to_stride, const uint8_t *from, int64_t from_stride,
    int64_t width, int64_t rows) {
  fw_copy_rows(to, to_stride, from, from_stride, width, rows);
}
)";

constexpr int64_t copyThreads = 256;

/// Numbered after a model's own kernels, in this order.
inline std::vector<KernelEntry> copyKernels() {
  return {{"", "fw_copy_words", copyThreads}, {"", "fw_copy_bytes", copyThreads}};
}

} // namespace formwork::cuda
