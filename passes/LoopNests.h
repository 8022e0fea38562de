// What kind of loop nest a linalg op is.
#pragma once

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace formwork {

/// Each element of the results on its own.
inline bool isPointwise(mlir::linalg::LinalgOp op) {
  return op.getNumParallelLoops() == op.getNumLoops();
}

/// A window slides over an input: an index is a sum of loops.
inline bool slidesOver(mlir::linalg::LinalgOp op, mlir::OpOperand *input) {
  return !op.getMatchingIndexingMap(input).isProjectedPermutation(/*allowZeroInResults=*/true);
}

inline bool slides(mlir::linalg::LinalgOp op) {
  return llvm::any_of(op.getDpsInputOperands(),
                      [&](mlir::OpOperand *input) { return slidesOver(op, input); });
}

/// A sliding window, or a product of two inputs of which each lacks a loop of the other: elements
/// are used many times, and a schedule must keep them near.
inline bool contracts(mlir::linalg::LinalgOp op) {
  if (slides(op))
    return true;
  bool visitsAll = llvm::any_of(op.getDpsInputOperands(), [&](mlir::OpOperand *input) {
    mlir::AffineMap map = op.getMatchingIndexingMap(input);
    return llvm::all_of(llvm::seq(map.getNumDims()),
                        [&](unsigned loop) { return map.isFunctionOfDim(loop); });
  });
  return !isPointwise(op) && !visitsAll;
}

} // namespace formwork
