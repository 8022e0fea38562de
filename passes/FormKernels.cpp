// Decides which ops run together and outlines them as kernels.
//
// What is left on the host is a schedule: launches, views, loops, branches and scalars.
#include "passes/Outline.h"
#include "passes/Passes.h"

#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Iterators.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_FORMKERNELS
#include "passes/Passes.h.inc"

//===--- preparation -----------------------------------------------------------------------------

/// A copy of `value`'s tensor.empty or linalg.fill, down to the empty tensor.
static Value cloneInitial(OpBuilder &builder, Value value) {
  Operation *copy = builder.clone(*value.getDefiningOp());
  if (auto fill = dyn_cast<linalg::FillOp>(copy))
    if (fill.output().getDefiningOp<tensor::EmptyOp>()) {
      OpBuilder before(copy);
      fill.getOutputsMutable().assign(cloneInitial(before, fill.output()));
    }
  return copy->getResult(0);
}

/// Gives each op that starts from an empty or filled tensor one of its own, so that it belongs to
/// the op's group and nobody else's.
static void ownInitialValues(func::FuncOp function) {
  function.walk([&](DestinationStyleOpInterface op) {
    for (OpOperand &initial : op.getDpsInitsMutable()) {
      OpBuilder builder(op);
      if (isa_and_nonnull<tensor::EmptyOp, linalg::FillOp>(initial.get().getDefiningOp()))
        initial.set(cloneInitial(builder, initial.get()));
    }
  });
}

/// Named ops become generics, so that what follows knows one kind of op.
static LogicalResult generalize(func::FuncOp function) {
  IRRewriter rewriter(function.getContext());
  SmallVector<linalg::LinalgOp> named;
  function.walk([&](linalg::LinalgOp op) {
    if (!isa<linalg::GenericOp, linalg::FillOp>(op.getOperation()))
      named.push_back(op);
  });
  for (linalg::LinalgOp op : named) {
    rewriter.setInsertionPoint(op);
    if (failed(linalg::generalizeNamedOp(rewriter, op)))
      return op.emitOpError("cannot be written as a loop nest");
  }
  return success();
}

static void eraseUnused(func::FuncOp function) {
  IRRewriter rewriter(function.getContext());
  function.walk<WalkOrder::PostOrder, ReverseIterator>([&](Operation *op) {
    if (isOpTriviallyDead(op))
      rewriter.eraseOp(op);
  });
}

//===--- groups ----------------------------------------------------------------------------------

/// An op that computes elements, as opposed to views, sizes and control.
static bool computes(Operation &op) { return isa<linalg::LinalgOp, tensor::PadOp>(op); }

/// Whether an op is there only to start `user` off.
static bool startsOnly(Operation *op) {
  return isa_and_nonnull<tensor::EmptyOp, linalg::FillOp>(op) && op->hasOneUse();
}

/// Each op with what it starts from.
static SmallVector<KernelGroup> singleGroups(Block &block) {
  SmallVector<KernelGroup> groups;
  for (Operation &op : block) {
    if (!computes(op) || (isa<linalg::FillOp>(op) && startsOnly(&op) &&
                          isa<linalg::LinalgOp>(*op.getUsers().begin())))
      continue;
    KernelGroup group{"single", {&op}};
    for (size_t i = 0; i < group.ops.size(); ++i)
      if (auto inner = dyn_cast<DestinationStyleOpInterface>(group.ops[i]))
        for (Value initial : inner.getDpsInits())
          if (startsOnly(initial.getDefiningOp()))
            group.ops.push_back(initial.getDefiningOp());
    std::reverse(group.ops.begin(), group.ops.end());
    groups.push_back(std::move(group));
  }
  return groups;
}

static void formKernels(Block &block, ModuleOp kernels, StringRef prefix) {
  for (KernelGroup &group : singleGroups(block))
    outline(group, kernels, prefix);
  sortTopologically(&block);
}

namespace {
struct FormKernels : impl::FormKernelsBase<FormKernels> {
  using FormKernelsBase::FormKernelsBase;

  void runOnOperation() override {
    auto functions = llvm::to_vector(getOperation().getOps<func::FuncOp>());
    ModuleOp kernels = kernelsOf(getOperation());
    for (func::FuncOp function : functions) {
      if (failed(generalize(function)))
        return signalPassFailure();
      ownInitialValues(function);
      eraseUnused(function);
      SmallVector<Block *> blocks;
      function.walk([&](Block *block) {
        if (!isa<linalg::LinalgOp, tensor::PadOp>(block->getParentOp()))
          blocks.push_back(block);
      });
      for (Block *block : blocks)
        formKernels(*block, kernels, function.getName());
    }
  }
};
} // namespace

} // namespace formwork
