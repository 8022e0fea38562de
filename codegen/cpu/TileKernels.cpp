// fw-cpu-tile: kernels on tensors to loops over chunks, tiles and vectors.
//
// Takes `func.func private @k(ins..., outs...) -> (values of outs)` in `module @kernels`. Gives
// `@k` over a range of chunks of its buffers, and `@k.chunks`, which says how many there are. What
// is in a chunk depends on shapes alone, and no chunk reads what another writes.
//
// Refuses, naming the kernel and the op's place in the model, what no rule schedules.
#include "codegen/cpu/Nest.h"
#include "codegen/cpu/Passes.h"
#include "codegen/kernel/Binding.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
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
  LogicalResult writeChunkCount(const Schedule &schedule);
  LogicalResult writeBody(const Schedule &schedule);
  int64_t workPerChunk(const Schedule &schedule);

  func::FuncOp source;
  const CPUTarget &target;
  Kernel kernel;
};
} // namespace

LogicalResult KernelWriter::writeChunkCount(const Schedule &schedule) {
  Type index = IndexType::get(source.getContext());
  func::FuncOp function = declareOnBuffers(source, (source.getName() + ".chunks").str(), {}, index);
  ImplicitLocOpBuilder builder(source.getLoc(), OpBuilder::atBlockBegin(&function.front()));
  Writer writer(builder);
  Evaluator evaluator(kernel, writer, target.hasFMA);
  if (failed(bindArguments(kernel, evaluator, writer, function.getArguments())))
    return failure();
  Value total = writer.index(0);
  for (const Group &group : schedule.groups)
    total = writer.add(total, Nest(kernel, group, writer, evaluator, OutputBuffers()).chunks());
  func::ReturnOp::create(builder, total);
  return success();
}

/// Groups follow one another in the numbering of chunks.
LogicalResult KernelWriter::writeBody(const Schedule &schedule) {
  Type index = IndexType::get(source.getContext());
  std::string name = source.getName().str();
  source.setName(name + ".tensors");
  func::FuncOp function = declareOnBuffers(source, name, {index, index}, {});
  function->setDiscardableAttr("fw.chunk_work",
                               OpBuilder(source).getI64IntegerAttr(workPerChunk(schedule)));
  ImplicitLocOpBuilder builder(source.getLoc(), OpBuilder::atBlockBegin(&function.front()));
  Writer writer(builder);
  Evaluator evaluator(kernel, writer, target.hasFMA);
  ValueRange buffers = function.getArguments().drop_front(2);
  if (failed(bindArguments(kernel, evaluator, writer, buffers)))
    return failure();
  OutputBuffers outputs = bindOutputs(kernel, evaluator, writer);
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
    auto schedule = [&](func::FuncOp kernel) { return KernelWriter(kernel, target).run(); };
    if (failed(Kernel::forEach(getOperation(), schedule)))
      return signalPassFailure();
  }
};
} // namespace

} // namespace formwork
