// fw-cuda-tile: kernels on tensors to what a block of threads computes of them.
//
// Takes `func.func private @k(ins..., outs...) -> (values of outs)` in `module @kernels`. Gives
// `@k` on buffers, to be run by each thread of a grid of `@k.blocks` blocks of `fw.threads` threads
// in one dimension. No block reads what another writes, and what a block computes depends on shapes
// alone.
//
// Refuses, naming the kernel and the op's place in the model, what cannot be written so.
#include "codegen/cuda/Passes.h"
#include "codegen/cuda/Team.h"
#include "codegen/cuda/Tiled.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_CUDATILE
#include "codegen/cuda/Passes.h.inc"

namespace cuda {

namespace {
/// Writes the two functions that take a kernel's place.
class KernelWriter {
public:
  KernelWriter(func::FuncOp source, const Target &target)
      : source(source), kernel(source), plan(schedule(kernel, target)) {}
  LogicalResult run();

private:
  LogicalResult writeBlockCount();
  LogicalResult writeBody();
  Values firstBlocks(Writing &state);
  void writeGroups(Writing &state, ArrayRef<Group> groups, ArrayRef<Value> firsts, Value block);
  LogicalResult checkShared(int64_t bytes);
  bool fitsNarrowIndices();

  func::FuncOp source;
  Kernel kernel;
  Schedule plan;
};
} // namespace

static std::unique_ptr<GroupWriter> writerOf(Writing &state, const Group &group) {
  if (group.tiles)
    return std::make_unique<TileWriter>(state, group);
  return std::make_unique<TeamWriter>(state, group);
}

/// For who reads the printed kernel.
static std::string describe(const Group &group) {
  if (!group.tiles) {
    int64_t team = group.teams.threads;
    return team == 1 ? "a thread for each element"
                     : std::to_string(team) + " threads for each sum or row";
  }
  const TileShape &shape = group.tiles->shape;
  return "a block for each tile of " + std::to_string(shape.rows) + " x " +
         std::to_string(shape.columns) + ", summed in slices of " + std::to_string(shape.depth) +
         (group.tiles->tensorCores ? " by tensor cores" : "");
}

static std::string describe(ArrayRef<Group> groups) {
  std::string text;
  while (!groups.empty()) {
    std::string form = describe(groups.front());
    size_t alike =
        llvm::find_if(groups, [&](const Group &group) { return describe(group) != form; }) -
        groups.begin();
    text += (text.empty() ? "" : "; then ") + (alike > 1 ? std::to_string(alike) + " times " : "") +
            form;
    groups = groups.drop_front(alike);
  }
  return text;
}

LogicalResult KernelWriter::writeBlockCount() {
  Type index = IndexType::get(source.getContext());
  func::FuncOp function = declareOnBuffers(source, (source.getName() + ".blocks").str(), {}, index);
  ImplicitLocOpBuilder builder(source.getLoc(), OpBuilder::atBlockBegin(&function.front()));
  Writer writer(builder);
  Evaluator evaluator(kernel, writer, /*hasFMA=*/true);
  if (failed(bindArguments(kernel, evaluator, writer, function.getArguments())))
    return failure();
  OutputBuffers none;
  Writing state(kernel, writer, evaluator, none, {}, plan.threads);
  Value total = writer.index(0);
  for (const Group &group : plan.groups)
    total = writer.add(total, writerOf(state, group)->blocks());
  func::ReturnOp::create(builder, total);
  return success();
}

/// Whether no number of an element, a point or a thread exceeds 32 bits: all sizes are known, and
/// none comes from memory.
bool KernelWriter::fitsNarrowIndices() {
  constexpr int64_t limit = int64_t(1) << 30;
  auto fits = [&](ArrayRef<int64_t> shape) {
    int64_t elements = 1;
    for (int64_t size : shape) {
      if (ShapedType::isDynamic(size) || (size > 0 && elements > limit / size))
        return false;
      elements *= std::max<int64_t>(size, 1);
    }
    return true;
  };
  bool narrow = true;
  source.walk([&](Operation *op) {
    if (auto generic = dyn_cast<linalg::GenericOp>(op))
      narrow &= fits(generic.getStaticLoopRanges());
    if (auto cast = dyn_cast<arith::IndexCastOp>(op))
      narrow &= !cast.getIn().getType().isInteger(64) && !cast.getType().isInteger(64);
    for (Type type : op->getResultTypes())
      if (auto tensor = dyn_cast<RankedTensorType>(type))
        narrow &= fits(tensor.getShape());
  });
  for (Type type : source.getArgumentTypes())
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      narrow &= fits(tensor.getShape());
  // Each point may have a team of its own.
  for (const Group &group : plan.groups) {
    SmallVector<int64_t> sizes(1, largestBlock);
    for (Dim dim : group.outer)
      sizes.push_back(kernel.size(dim));
    narrow &= fits(sizes);
  }
  return narrow;
}

/// The blocks of groups follow one another: the number of each one's first.
Values KernelWriter::firstBlocks(Writing &state) {
  Values firsts{state.writer.index(0)};
  for (const Group &group : ArrayRef(plan.groups).drop_back())
    firsts.push_back(state.writer.add(firsts.back(), writerOf(state, group)->blocks()));
  return firsts;
}

/// What a block computes of the group that it is of, which is found by halves.
void KernelWriter::writeGroups(Writing &state, ArrayRef<Group> groups, ArrayRef<Value> firsts,
                               Value block) {
  if (groups.empty() || state.evaluator.failed() || state.hasFailed)
    return;
  Writer &writer = state.writer;
  if (groups.size() == 1) {
    writerOf(state, groups.front())->write(writer.make<arith::SubIOp>(block, firsts.front()));
    return state.evaluator.forgetAll();
  }
  size_t half = (groups.size() + 1) / 2;
  auto first = [&] {
    writeGroups(state, groups.take_front(half), firsts.take_front(half), block);
    return Values();
  };
  auto second = [&] {
    writeGroups(state, groups.drop_front(half), firsts.drop_front(half), block);
    return Values();
  };
  Value isBefore = writer.make<arith::CmpIOp>(arith::CmpIPredicate::slt, block, firsts[half]);
  writer.branch(isBefore, {}, first, second);
}

LogicalResult KernelWriter::writeBody() {
  std::string name = source.getName().str();
  source.setName(name + ".tensors");
  func::FuncOp function = declareOnBuffers(source, name, {}, {});
  ImplicitLocOpBuilder builder(source.getLoc(), OpBuilder::atBlockBegin(&function.front()));
  function->setAttr("gpu.kernel", builder.getUnitAttr());
  function->setAttr("fw.threads", builder.getI64IntegerAttr(plan.threads));
  function->setAttr("fw.form", builder.getStringAttr(describe(plan.groups)));
  if (fitsNarrowIndices())
    function->setAttr("fw.narrow", builder.getUnitAttr());
  // What is reused from registers must stay there: spills are refused.
  if (llvm::any_of(plan.groups, [](const Group &group) { return bool(group.tiles); }))
    function->setAttr("fw.hot", builder.getUnitAttr());
  Writer writer(builder);
  Evaluator evaluator(kernel, writer, /*hasFMA=*/true);
  if (failed(bindArguments(kernel, evaluator, writer, function.getArguments())))
    return failure();
  OutputBuffers outputs = bindOutputs(kernel, evaluator, writer);
  Value thread = gpu::ThreadIdOp::create(builder, gpu::Dimension::x);
  Value block = gpu::BlockIdOp::create(builder, gpu::Dimension::x);
  Writing state(kernel, writer, evaluator, outputs, thread, plan.threads);
  writeGroups(state, plan.groups, firstBlocks(state), block);
  func::ReturnOp::create(builder);
  return failure(evaluator.failed() || state.hasFailed || failed(checkShared(state.sharedUsed)));
}

LogicalResult KernelWriter::checkShared(int64_t bytes) {
  if (bytes <= sharedBytes)
    return success();
  return source->emitError() << "no schedule: its groups take " << bytes
                             << " bytes of shared memory, of " << sharedBytes;
}

LogicalResult KernelWriter::run() {
  if (failed(writeBlockCount()) || failed(writeBody()))
    return failure();
  source.erase();
  return success();
}

} // namespace cuda

namespace {
struct CUDATile : impl::CUDATileBase<CUDATile> {
  using CUDATileBase::CUDATileBase;
  void runOnOperation() override {
    cuda::Target target{tf32};
    auto schedule = [&](func::FuncOp kernel) { return cuda::KernelWriter(kernel, target).run(); };
    if (failed(Kernel::forEach(getOperation(), schedule)))
      return signalPassFailure();
  }
};
} // namespace

} // namespace formwork
