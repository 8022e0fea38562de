#include "codegen/kernel/Binding.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace formwork {

/// Row-major and dense, unless the argument says how its rows lie. A scalar stays one.
static Type bufferType(func::FuncOp function, unsigned argument) {
  auto tensor = dyn_cast<RankedTensorType>(function.getArgumentTypes()[argument]);
  if (!tensor)
    return function.getArgumentTypes()[argument];
  auto layout = function.getArgAttrOfType<MemRefLayoutAttrInterface>(
      argument, bufferization::BufferizationDialect::kBufferLayoutAttrName);
  return MemRefType::get(tensor.getShape(), tensor.getElementType(), layout);
}

func::FuncOp declareOnBuffers(func::FuncOp source, StringRef name, ArrayRef<Type> leading,
                              TypeRange results) {
  OpBuilder builder(source);
  SmallVector<Type> types(leading);
  for (unsigned argument = 0; argument < source.getNumArguments(); ++argument)
    types.push_back(bufferType(source, argument));
  auto function =
      func::FuncOp::create(builder, source.getLoc(), name, builder.getFunctionType(types, results));
  function.setPrivate();
  for (NamedAttribute attribute : source->getDiscardableAttrs())
    function->setDiscardableAttr(attribute.getName(), attribute.getValue());
  function.addEntryBlock();
  return function;
}

/// Some access whose index is the dimension itself tells its size.
static Value extentOf(const Kernel &kernel, Evaluator &evaluator, Writer &writer, Dim dim) {
  if (kernel.isStatic(dim))
    return writer.index(kernel.size(dim));
  auto sizeOf = [&](Value tensor, unsigned axis) -> Value {
    while (auto op = tensor.getDefiningOp<linalg::GenericOp>())
      tensor = op.getDpsInits()[cast<OpResult>(tensor).getResultNumber()];
    Value buffer = evaluator.outside(tensor);
    if (isa<MemRefType>(buffer.getType()))
      return writer.make<memref::DimOp>(buffer, writer.index(axis));
    if (auto empty = tensor.getDefiningOp<tensor::EmptyOp>())
      return evaluator.outside(empty.getDynamicSizes()[empty.getType().getDynamicDimIndex(axis)]);
    return {};
  };
  for (linalg::GenericOp op : kernel.getOps())
    for (OpOperand &operand : op->getOpOperands())
      for (auto [axis, index] : llvm::enumerate(kernel.access(operand).getResults()))
        if (index == getAffineDimExpr(dim, op.getContext()))
          if (Value size = sizeOf(operand.get(), axis))
            return size;
  kernel.getFunction().emitError() << "no schedule: the size of a loop is known nowhere";
  return {};
}

LogicalResult bindArguments(const Kernel &kernel, Evaluator &evaluator, Writer &writer,
                            ValueRange arguments) {
  func::FuncOp source = kernel.getFunction();
  for (auto [tensor, buffer] : llvm::zip_equal(source.getArguments(), arguments)) {
    auto type = dyn_cast<MemRefType>(buffer.getType());
    Value bytes = buffer;
    // Vectors of booleans are vectors of bytes in memory; a memref of i1 would pack them.
    if (type && type.getElementType().isInteger(1))
      bytes = UnrealizedConversionCastOp::create(
                  writer.builder,
                  MemRefType::get(type.getShape(), writer.builder.getI8Type(), type.getLayout()),
                  buffer)
                  .getResult(0);
    evaluator.bind(tensor, bytes);
  }
  if (failed(evaluator.bindBody(source)))
    return failure();
  SmallVector<Value> extents;
  for (Dim dim = 0; dim < kernel.dimCount(); ++dim) {
    extents.push_back(extentOf(kernel, evaluator, writer, dim));
    if (!extents.back())
      return failure();
  }
  evaluator.setExtents(extents);
  return success();
}

OutputBuffers bindOutputs(const Kernel &kernel, Evaluator &evaluator, Writer &writer) {
  func::FuncOp source = kernel.getFunction();
  OutputBuffers buffers;
  auto &builder = writer.builder;
  unsigned first = source.getNumArguments() - source.getNumResults();
  for (const Kernel::Output &output : kernel.getOutputs()) {
    Value buffer = evaluator.outside(source.getArgument(first + output.position));
    for (Operation *step : output.path) {
      if (auto expand = dyn_cast<tensor::ExpandShapeOp>(step)) {
        buffer = memref::CollapseShapeOp::create(builder, buffer, expand.getReassociationIndices());
      } else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(step)) {
        auto type = cast<RankedTensorType>(collapse.getSrcType());
        SmallVector<OpFoldResult> shape;
        for (int64_t size : type.getShape())
          shape.push_back(builder.getIndexAttr(size));
        buffer = memref::ExpandShapeOp::create(
            builder,
            MemRefType::get(type.getShape(), cast<MemRefType>(buffer.getType()).getElementType()),
            buffer, collapse.getReassociationIndices(), shape);
      } else {
        auto insert = cast<tensor::InsertSliceOp>(step);
        auto mapped = [&](SmallVector<OpFoldResult> list) {
          for (OpFoldResult &entry : list)
            if (auto value = dyn_cast<Value>(entry))
              entry = evaluator.outside(value);
          return list;
        };
        auto offsets = mapped(insert.getMixedOffsets()), sizes = mapped(insert.getMixedSizes()),
             strides = mapped(insert.getMixedStrides());
        auto type = memref::SubViewOp::inferRankReducedResultType(
            insert.getSourceType().getShape(), cast<MemRefType>(buffer.getType()), offsets, sizes,
            strides);
        buffer = memref::SubViewOp::create(builder, cast<MemRefType>(type), buffer, offsets, sizes,
                                           strides);
      }
    }
    buffers[output.value].push_back(buffer);
  }
  return buffers;
}

} // namespace formwork
