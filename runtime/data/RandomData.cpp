// Counter-based: element i of a buffer does not depend on the others; see RandomData.h.
#include "runtime/data/RandomData.h"

#include "runtime/train/Shuffle.h"

namespace formwork::runtime {

void fillRandomly(const formwork_tensor &tensor, int64_t count, uint64_t seed, std::byte *to) {
  int64_t limit = tensor.limit ? tensor.limit : 2;
  for (int64_t i = 0; i < count; ++i) {
    uint32_t word = philox({uint32_t(i), uint32_t(i >> 32), 0, 0}, seed)[0];
    float fraction = float(word >> 8) * 0x1p-24f;
    auto index = int64_t(word) % limit;
    std::byte *at = to + i * elementSize(tensor.dtype);
    if (tensor.dtype == FORMWORK_F32)
      *reinterpret_cast<float *>(at) = tensor.limit ? float(index) : fraction;
    else if (tensor.dtype == FORMWORK_F64)
      *reinterpret_cast<double *>(at) = tensor.limit ? double(index) : fraction;
    else if (tensor.dtype == FORMWORK_I32)
      *reinterpret_cast<int32_t *>(at) = int32_t(index);
    else if (tensor.dtype == FORMWORK_I64)
      *reinterpret_cast<int64_t *>(at) = index;
    else
      *at = std::byte(word & 1);
  }
}

} // namespace formwork::runtime
