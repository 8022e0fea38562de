// What bufferization leaves is made ready for kernels: their operands lie dense, in row-major order
// without gaps, wherever they begin. A strided operand is copied in or out by the host. Constants
// get their names and their order.
#include "ir/Rewriting.h"
#include "passes/Passes.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/MemRef/Transforms/Transforms.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_SETTLEBUFFERS
#include "passes/Passes.h.inc"

/// A `?` may only come first among dimensions of more than one element: strides must not depend on
/// it.
static bool isDense(MemRefType type) {
  SmallVector<int64_t> strides;
  int64_t offset, expected = 1;
  if (type.getLayout().isIdentity())
    return true;
  if (failed(type.getStridesAndOffset(strides, offset)))
    return false;
  for (int64_t i = type.getRank() - 1; i >= 0; --i) {
    // A dimension of one element is never stepped along.
    if (type.getDimSize(i) != 1 && strides[i] != expected)
      return false;
    if (type.isDynamicDim(i))
      return llvm::all_of(type.getShape().take_front(i), [](int64_t size) { return size == 1; });
    expected *= type.getDimSize(i);
  }
  return true;
}

/// A buffer of its own for what `strided` shows.
static Value denseLike(OpBuilder &builder, Value strided) {
  auto type = cast<MemRefType>(strided.getType());
  SmallVector<Value> sizes;
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (type.isDynamicDim(i))
      // A view says how large it is: the planner asks no buffer.
      sizes.push_back(builder.createOrFold<memref::DimOp>(strided.getLoc(), strided, i));
  auto dense = MemRefType::get(type.getShape(), type.getElementType());
  return memref::AllocOp::create(builder, strided.getLoc(), dense, sizes);
}

static void makeDense(LaunchOp launch) {
  OpBuilder builder(launch);
  size_t inputs = launch.getInputs().size();
  for (OpOperand &operand : launch->getOpOperands()) {
    Value strided = operand.get();
    auto type = dyn_cast<MemRefType>(strided.getType());
    if (!type || isDense(type))
      continue;
    builder.setInsertionPoint(launch);
    Value dense = denseLike(builder, strided);
    bool isOutput = operand.getOperandNumber() >= inputs;
    if (!isOutput || !launch.getOverwrites()[operand.getOperandNumber() - inputs])
      memref::CopyOp::create(builder, launch.getLoc(), strided, dense);
    builder.setInsertionPointAfter(launch);
    if (isOutput)
      memref::CopyOp::create(builder, launch.getLoc(), dense, strided);
    operand.set(dense);
  }
}

/// The sizes of views become those that the views were made with.
static LogicalResult resolveSizes(func::FuncOp function) {
  RewritePatternSet patterns(function.getContext());
  memref::populateResolveRankedShapedTypeResultDimsPatterns(patterns);
  memref::DimOp::getCanonicalizationPatterns(patterns, function.getContext());
  return applyPatternsGreedily(function, std::move(patterns), structuredRewriting());
}

/// Names constants in the order of their first uses and puts them in that order: bufferization's
/// depends on where in memory functions happen to lie, and the same model is to give the same
/// bytes.
static void orderConstants(ModuleOp module) {
  SymbolTable symbols(module);
  llvm::MapVector<memref::GlobalOp, SmallVector<memref::GetGlobalOp>> uses;
  module.walk([&](memref::GetGlobalOp use) {
    uses[symbols.lookup<memref::GlobalOp>(use.getName())].push_back(use);
  });
  Operation *last = nullptr;
  for (auto [number, entry] : llvm::enumerate(uses)) {
    auto &[constant, users] = entry;
    constant.setName(("constant." + Twine(number)).str());
    for (memref::GetGlobalOp use : users)
      use.setName(constant.getName());
    if (last)
      constant->moveAfter(last);
    else
      constant->moveBefore(module.getBody(), module.getBody()->begin());
    last = constant;
  }
}

namespace {
struct SettleBuffers : impl::SettleBuffersBase<SettleBuffers> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      function.walk([](memref::CopyOp copy) {
        if (copy.getSource() == copy.getTarget())
          copy.erase();
      });
      function.walk([](LaunchOp launch) { makeDense(launch); });
      if (failed(resolveSizes(function)))
        return signalPassFailure();
    }
    orderConstants(getOperation());
  }
};
} // namespace

} // namespace formwork
