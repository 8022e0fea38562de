// memref.copy without the run-time function that upstream's lowering calls for strided buffers.
#include "codegen/host/LowerCopies.h"
#include "codegen/host/Buffers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace formwork {

/// How many of the last dimensions lie without gaps in a buffer of `type`.
int64_t denseDimensions(MemRefType type) {
  SmallVector<int64_t> strides;
  int64_t offset, expected = 1, count = 0;
  if (failed(type.getStridesAndOffset(strides, offset)))
    return 0;
  for (int64_t i = type.getRank() - 1; i >= 0; --i, ++count) {
    if (type.getLayout().isIdentity())
      continue;
    if (strides[i] != expected && type.getDimSize(i) != 1)
      return count;
    // Nothing is known of strides beyond a `?`.
    if (type.isDynamicDim(i))
      return count + 1;
    expected *= type.getDimSize(i);
  }
  return count;
}

/// The part of `buffer` at `indices` of its first dimensions; as a dense buffer, if it is `dense`.
static Value partAt(OpBuilder &builder, Location location, LLVMTypeConverter &types, Value buffer,
                    ValueRange indices, bool dense) {
  auto type = cast<MemRefType>(buffer.getType());
  size_t outer = indices.size();
  SmallVector<OpFoldResult> offsets(type.getRank(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(type.getRank(), builder.getIndexAttr(1));
  SmallVector<OpFoldResult> sizes = memref::getMixedSizes(builder, location, buffer);
  for (size_t i = 0; i < outer; ++i) {
    offsets[i] = indices[i];
    sizes[i] = builder.getIndexAttr(1);
  }
  ArrayRef<int64_t> shape = type.getShape().drop_front(outer);
  Value part = buffer;
  if (outer)
    part = memref::SubViewOp::create(
        builder, location,
        memref::SubViewOp::inferRankReducedResultType(shape, type, offsets, sizes, strides), buffer,
        offsets, sizes, strides);
  auto rebased = MemRefType::get(shape, type.getElementType());
  if (!dense || part.getType() == rebased)
    return part;
  return BufferBuilder(builder, types).rebased(part, rebased);
}

int64_t dimensionsWithGaps(memref::CopyOp copy) {
  auto from = cast<MemRefType>(copy.getSource().getType());
  auto to = cast<MemRefType>(copy.getTarget().getType());
  return to.getRank() - std::min(denseDimensions(to), denseDimensions(from));
}

static void lower(memref::CopyOp copy, LLVMTypeConverter &types, CopiedGaps left) {
  Location location = copy.getLoc();
  Value from = copy.getSource(), to = copy.getTarget();
  auto type = cast<MemRefType>(to.getType());
  int64_t gaps = dimensionsWithGaps(copy);
  bool rows = left == CopiedGaps::InOneDimension && gaps > 0;
  if (rows && gaps == 1)
    return;
  int64_t outer = rows ? gaps - 1 : gaps;

  OpBuilder builder(copy);
  Value zero = arith::ConstantIndexOp::create(builder, location, 0);
  Value one = arith::ConstantIndexOp::create(builder, location, 1);
  SmallVector<Value> begins(outer, zero), steps(outer, one), ends;
  for (int64_t i = 0; i < outer; ++i)
    ends.push_back(memref::DimOp::create(builder, location, to, i));
  scf::buildLoopNest(builder, location, begins, ends, steps,
                     [&](OpBuilder &inner, Location, ValueRange indices) {
                       if (outer == type.getRank() && type.getRank() > 0) {
                         Value element = memref::LoadOp::create(inner, location, from, indices);
                         memref::StoreOp::create(inner, location, element, to, indices);
                         return;
                       }
                       memref::CopyOp::create(inner, location,
                                              partAt(inner, location, types, from, indices, !rows),
                                              partAt(inner, location, types, to, indices, !rows));
                     });
  copy.erase();
}

void lowerCopies(func::FuncOp function, CopiedGaps left) {
  LLVMTypeConverter types(function.getContext());
  SmallVector<memref::CopyOp> copies;
  function.walk([&](memref::CopyOp copy) { copies.push_back(copy); });
  for (memref::CopyOp copy : copies)
    lower(copy, types, left);
}

} // namespace formwork
