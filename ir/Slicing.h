// Putting a tensor into a larger one, for pad, convolutions and pooling.
#pragma once

#include "ir/Broadcasting.h"

namespace formwork {

/// `into`, with the elements of x from `low` on, `strides` apart.
mlir::Value embed(mlir::ImplicitLocOpBuilder &builder, mlir::Value x, mlir::Value into,
                  llvm::ArrayRef<int64_t> low, llvm::ArrayRef<int64_t> strides);

} // namespace formwork
