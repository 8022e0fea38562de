// How parts of tensors lie in memory.
#pragma once

#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace formwork {

/// Whether the part of `whole` that `slice` takes or writes has gaps in memory.
inline bool hasGaps(mlir::OffsetSizeAndStrideOpInterface slice, mlir::RankedTensorType whole) {
  bool inner = false;
  for (int64_t i = 0; i < whole.getRank(); ++i) {
    if (slice.getStaticStrides()[i] != 1)
      return true;
    bool cut = slice.getStaticSizes()[i] != whole.getDimSize(i) ||
               mlir::ShapedType::isDynamic(whole.getDimSize(i));
    // Behind a dimension that is stepped along, all others must be whole.
    if (cut && inner)
      return true;
    inner |= slice.getStaticSizes()[i] != 1;
  }
  return false;
}

} // namespace formwork
