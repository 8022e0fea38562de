#include "codegen/cpu/Transpose.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace formwork {

/// Swaps the off-diagonal quarters of every block of 2 * half rows and lanes.
static void swapQuarters(Writer &writer, MutableArrayRef<Value> rows, int64_t half) {
  int64_t lanes = rows.size();
  SmallVector<int64_t> upper, lower;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    bool right = lane & half;
    upper.push_back(right ? lanes + lane - half : lane);
    lower.push_back(right ? lanes + lane : lane + half);
  }
  for (int64_t i = 0; i < lanes; ++i) {
    if (i & half)
      continue;
    Value a = rows[i], b = rows[i + half];
    rows[i] = writer.make<vector::ShuffleOp>(a, b, upper);
    rows[i + half] = writer.make<vector::ShuffleOp>(a, b, lower);
  }
}

SmallVector<Value> transposeInRegisters(Writer &writer, ArrayRef<Value> rows) {
  SmallVector<Value> turned(rows);
  for (int64_t half = rows.size() / 2; half >= 1; half /= 2)
    swapQuarters(writer, turned, half);
  return turned;
}

} // namespace formwork
