#include "codegen/cpu/Transpose.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace formwork {

/// Swaps the off-diagonal quarters of every block of 2 * half rows and lanes.
static void swapQuarters(Writer &writer, Value rows, int64_t lanes, int64_t half) {
  SmallVector<int64_t> upper, lower;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    bool right = lane & half;
    upper.push_back(right ? lanes + lane - half : lane);
    lower.push_back(right ? lanes + lane : lane + half);
  }
  OpBuilder &builder = writer.builder;
  writer.rows(lanes / 2, [&](Value pair) {
    // The upper row of the pair: every number without the bit that `half` is.
    Value block = writer.make<arith::DivUIOp>(pair, writer.index(half));
    Value top = writer.add(pair, writer.mul(block, writer.index(half)));
    Value bottom = writer.add(top, half);
    Location location = writer.builder.getLoc();
    Value a = memref::LoadOp::create(builder, location, rows, top);
    Value b = memref::LoadOp::create(builder, location, rows, bottom);
    memref::StoreOp::create(builder, location, writer.make<vector::ShuffleOp>(a, b, upper), rows,
                            top);
    memref::StoreOp::create(builder, location, writer.make<vector::ShuffleOp>(a, b, lower), rows,
                            bottom);
  });
}

void transposeInRegisters(Writer &writer, Value rows) {
  int64_t lanes = cast<MemRefType>(rows.getType()).getDimSize(0);
  for (int64_t half = lanes / 2; half >= 1; half /= 2)
    swapQuarters(writer, rows, lanes, half);
}

} // namespace formwork
