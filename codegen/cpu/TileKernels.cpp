// fw-cpu-tile: kernels on tensors to loops over chunks, tiles and vectors.
//
// Takes `func.func private @k(ins..., outs...) -> (values of outs)` in `module @kernels`. Gives
// `@k` over a range of chunks of its buffers, and `@k.chunks`, which says how many there are. What
// is in a chunk depends on shapes alone, and no chunk reads what another writes.
//
// Refuses, naming the kernel and the op's place in the model, what no rule schedules.
#include "codegen/cpu/Nest.h"
#include "codegen/cpu/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_CPUTILE
#include "codegen/cpu/Passes.h.inc"

namespace {
/// Writes the two functions that take a kernel's place.
class KernelWriter {
public:
  KernelWriter(func::FuncOp source, const CPUTarget &target)
      : source(source), target(target), kernel(source) {}
  LogicalResult run();

private:
  using Buffers = llvm::DenseMap<Value, SmallVector<Value>>;

  func::FuncOp declare(StringRef name, ArrayRef<Type> leading, TypeRange results);
  LogicalResult bind(Evaluator &evaluator, Writer &writer, ValueRange arguments);
  Buffers outputBuffers(Evaluator &evaluator, Writer &writer, ValueRange arguments);
  LogicalResult writeChunkCount(const Schedule &schedule);
  LogicalResult writeBody(const Schedule &schedule);
  Value extentOf(Evaluator &evaluator, Writer &writer, Dim dim);
  int64_t workPerChunk(const Schedule &schedule);

  func::FuncOp source;
  const CPUTarget &target;
  Kernel kernel;
};
} // namespace

/// Row-major and dense, unless the argument says how its rows lie. A scalar stays one.
static Type bufferType(func::FuncOp function, unsigned argument) {
  auto tensor = dyn_cast<RankedTensorType>(function.getArgumentTypes()[argument]);
  if (!tensor)
    return function.getArgumentTypes()[argument];
  auto layout = function.getArgAttrOfType<MemRefLayoutAttrInterface>(
      argument, bufferization::BufferizationDialect::kBufferLayoutAttrName);
  return MemRefType::get(tensor.getShape(), tensor.getElementType(), layout);
}

func::FuncOp KernelWriter::declare(StringRef name, ArrayRef<Type> leading, TypeRange results) {
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
Value KernelWriter::extentOf(Evaluator &evaluator, Writer &writer, Dim dim) {
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
  source->emitError() << "no schedule: the size of a loop is known nowhere";
  return {};
}

LogicalResult KernelWriter::bind(Evaluator &evaluator, Writer &writer, ValueRange arguments) {
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
    extents.push_back(extentOf(evaluator, writer, dim));
    if (!extents.back())
      return failure();
  }
  evaluator.setExtents(extents);
  return success();
}

/// The buffers that each computed value is written to: results' buffers, seen in the value's shape.
KernelWriter::Buffers KernelWriter::outputBuffers(Evaluator &evaluator, Writer &writer,
                                                  ValueRange arguments) {
  Buffers buffers;
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

LogicalResult KernelWriter::writeChunkCount(const Schedule &schedule) {
  Type index = IndexType::get(source.getContext());
  func::FuncOp function = declare((source.getName() + ".chunks").str(), {}, index);
  ImplicitLocOpBuilder builder(source.getLoc(), OpBuilder::atBlockBegin(&function.front()));
  Writer writer(builder);
  Evaluator evaluator(kernel, writer, target.hasFMA);
  if (failed(bind(evaluator, writer, function.getArguments())))
    return failure();
  Value total = writer.index(0);
  for (const Group &group : schedule.groups)
    total = writer.add(total, Nest(kernel, group, writer, evaluator, Buffers()).chunks());
  func::ReturnOp::create(builder, total);
  return success();
}

/// Groups follow one another in the numbering of chunks.
LogicalResult KernelWriter::writeBody(const Schedule &schedule) {
  Type index = IndexType::get(source.getContext());
  std::string name = source.getName().str();
  source.setName(name + ".tensors");
  func::FuncOp function = declare(name, {index, index}, {});
  function->setDiscardableAttr("fw.chunk_work",
                               OpBuilder(source).getI64IntegerAttr(workPerChunk(schedule)));
  ImplicitLocOpBuilder builder(source.getLoc(), OpBuilder::atBlockBegin(&function.front()));
  Writer writer(builder);
  Evaluator evaluator(kernel, writer, target.hasFMA);
  ValueRange buffers = function.getArguments().drop_front(2);
  if (failed(bind(evaluator, writer, buffers)))
    return failure();
  Buffers outputs = outputBuffers(evaluator, writer, buffers);
  Value begin = function.getArgument(0), end = function.getArgument(1), first = writer.index(0);
  bool only = schedule.groups.size() == 1;
  for (const Group &group : schedule.groups) {
    Nest nest(kernel, group, writer, evaluator, outputs);
    Value count = nest.chunks();
    if (only) {
      nest.write(begin, end);
    } else {
      auto within = [&](Value chunk) {
        Value at = writer.make<arith::SubIOp>(chunk, first);
        return writer.minimum(writer.make<arith::MaxSIOp>(at, writer.index(0)), count);
      };
      nest.write(within(begin), within(end));
    }
    evaluator.forgetAll();
    first = writer.add(first, count);
    if (evaluator.failed())
      return failure();
  }
  func::ReturnOp::create(builder);
  return success();
}

/// Scalar operations of a chunk, about; what is not known counts as 32.
int64_t KernelWriter::workPerChunk(const Schedule &schedule) {
  int64_t work = 0, chunks = 0;
  auto size = [&](Dim dim) { return kernel.isStatic(dim) ? kernel.size(dim) : 32; };
  for (linalg::GenericOp op : kernel.getOps()) {
    int64_t iterations = 1, operations = 0;
    for (Dim dim : kernel.loops(op))
      iterations *= size(dim);
    for (Operation &inner : op.getBlock()->without_terminator())
      operations += isa<math::MathDialect>(inner.getDialect()) ? 16 : 1;
    work += iterations * std::max<int64_t>(operations, 1);
  }
  for (const Group &group : schedule.groups) {
    int64_t blocks = 1;
    for (Dim dim : group.outer)
      blocks *= llvm::divideCeil(size(dim), int(dim) == group.rowDim      ? group.rows
                                            : int(dim) == group.vectorDim ? group.tileWidth
                                                                          : 1);
    chunks += blocks;
  }
  return work / std::max<int64_t>(chunks, 1);
}

LogicalResult KernelWriter::run() {
  FailureOr<Schedule> plan = schedule(kernel, target);
  if (failed(plan) || failed(writeChunkCount(*plan)) || failed(writeBody(*plan)))
    return failure();
  source.erase();
  return success();
}

namespace {
struct CPUTile : impl::CPUTileBase<CPUTile> {
  using CPUTileBase::CPUTileBase;

  void runOnOperation() override {
    CPUTarget target{vectorBytes, vectorRegisters, hasFMA};
    SmallVector<func::FuncOp> kernels;
    getOperation()->walk([&](func::FuncOp function) {
      if (function->hasAttr("fw.kernel") && !function.isExternal())
        kernels.push_back(function);
    });
    for (func::FuncOp kernel : kernels) {
      auto name = kernel.getName().str();
      if (succeeded(Kernel::normalize(kernel)) && succeeded(KernelWriter(kernel, target).run()))
        continue;
      kernel->emitRemark() << "in kernel '" << name << "'";
      return signalPassFailure();
    }
  }
};
} // namespace

} // namespace formwork
