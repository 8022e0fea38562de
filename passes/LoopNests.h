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

/// Whether windows of a contraction's result can be reduced within its tiles: `reduced` has a bit
/// for each of its axes. Windows are small and inside: the first axis is what kernels run along in
/// parallel, the last lies along vectors. And beside each other are enough for a tile's rows, which
/// share what they multiply.
inline bool poolsInTile(llvm::ArrayRef<int64_t> shape, const llvm::SmallBitVector &reduced) {
  constexpr int64_t largestWindow = 16, fewestRows = 4;
  size_t last = shape.size() - 1;
  if (shape.size() < 3 || reduced.none() || reduced.test(0) || reduced.test(last))
    return false;
  int64_t window = 1, rows = 1;
  for (size_t axis = 1; axis < last; ++axis) {
    int64_t size = shape[axis];
    if (mlir::ShapedType::isDynamic(size) || (reduced.test(axis) && size > largestWindow))
      return false;
    if (reduced.test(axis))
      window *= size;
    else
      rows = size;
  }
  return window <= largestWindow && rows >= fewestRows;
}

} // namespace formwork
