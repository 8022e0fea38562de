// One op for all steps of a loop instead of one in each.
#pragma once

#include "ir/Dialect.h"

namespace formwork {

/// Whether `op` can compute all steps at once from operands of which some (a bit each) come
/// stacked: with all steps along a new leading dimension.
bool canStack(mlir::Operation *op, const llvm::BitVector &stacked);

/// The result of `op` for all steps, stacked.
mlir::Value stack(mlir::ImplicitLocOpBuilder &builder, mlir::Operation *op,
                  mlir::ValueRange operands, const llvm::BitVector &stacked);

/// Whether `op` is a contraction, a sum, or the like: see StackableOp.
bool gainsFromStacking(mlir::Operation *op);

} // namespace formwork
