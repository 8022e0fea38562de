// Outlines groups of ops as kernels (Groups.cpp decides which), orders what is left and keeps one
// of each kernel.
//
// What is left on the host is a schedule: launches, views, loops, branches and scalars.
#include "ir/ZeroBorder.h"
#include "passes/Groups.h"
#include "passes/Passes.h"

#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Iterators.h"
#include "mlir/IR/Matchers.h"

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

/// What has no elements is computed by nobody.
static void dropEmpty(func::FuncOp function) {
  function.walk([](linalg::LinalgOp op) {
    bool isEmpty = llvm::all_of(op->getResultTypes(), [](Type type) {
      return llvm::is_contained(cast<ShapedType>(type).getShape(), 0);
    });
    if (isEmpty)
      op->replaceAllUsesWith(op.getDpsInits());
  });
}

static void eraseUnused(func::FuncOp function) {
  IRRewriter rewriter(function.getContext());
  function.walk<WalkOrder::PostOrder, ReverseIterator>([&](Operation *op) {
    if (isOpTriviallyDead(op))
      rewriter.eraseOp(op);
  });
}

//===--- what is known to be zero ----------------------------------------------------------------

/// Of what is written into zeros: how many indices of each axis hold zeros before it, then how many
/// behind it, as far as that is known. Null if none do.
static DenseI64ArrayAttr borderOf(tensor::InsertSliceOp insert) {
  auto background = insert.getDest().getDefiningOp<linalg::FillOp>();
  if (!background || !matchPattern(background.getInputs().front(), m_AnyZeroFloat()))
    return {};
  RankedTensorType whole = insert.getDestType();
  if (insert.getSourceType().getRank() != whole.getRank())
    return {};
  SmallVector<int64_t> low, high;
  for (auto [offset, size, stride, all] :
       llvm::zip_equal(insert.getStaticOffsets(), insert.getStaticSizes(),
                       insert.getStaticStrides(), whole.getShape())) {
    bool known = !llvm::is_contained({offset, size, stride, all}, ShapedType::kDynamic) && size > 0;
    low.push_back(ShapedType::isDynamic(offset) ? 0 : offset);
    high.push_back(known ? all - (offset + (size - 1) * stride + 1) : 0);
  }
  llvm::append_range(low, high);
  bool none = llvm::all_of(low, [](int64_t count) { return count == 0; });
  return none ? DenseI64ArrayAttr() : DenseI64ArrayAttr::get(insert.getContext(), low);
}

static void markBorders(Block &block) {
  for (auto insert : block.getOps<tensor::InsertSliceOp>())
    if (DenseI64ArrayAttr border = borderOf(insert))
      insert->setAttr(zeroBorderAttr, border);
}

static void forgetBorders(Block &block) {
  for (auto insert : block.getOps<tensor::InsertSliceOp>())
    insert->removeAttr(zeroBorderAttr);
}

//===--- the host's order --------------------------------------------------------------------------

/// The last op of the block, other than `launch` and the terminator, that reads `variable`.
static Operation *lastReader(Block &block, Value variable, LaunchOp launch) {
  Operation *last = nullptr;
  for (Operation *user : variable.getUsers()) {
    Operation *op = block.findAncestorOpInBlock(*user);
    if (op && op != launch && op != block.getTerminator() && (!last || last->isBeforeInBlock(op)))
      last = op;
  }
  return last;
}

/// Moves what updates a variable behind the last op that reads the old value, so that it can be
/// updated in place: the gradient of a layer's input before the update of its kernel.
static void delayUpdates(Block &block) {
  for (LaunchOp launch : llvm::to_vector(block.getOps<LaunchOp>())) {
    Operation *after = launch;
    for (Value output : launch.getOutputs())
      if (isa<BlockArgument>(output))
        if (Operation *reader = lastReader(block, output, launch);
            reader && after->isBeforeInBlock(reader))
          after = reader;
    bool usedBefore = llvm::any_of(launch->getUsers(), [&](Operation *user) {
      Operation *op = block.findAncestorOpInBlock(*user);
      return op == after || op->isBeforeInBlock(after);
    });
    if (after != launch && !usedBefore)
      launch->moveAfter(after);
  }
}

static void formKernels(Block &block, SymbolTable &kernels, StringRef prefix, bool fuse,
                        bool pool) {
  markBorders(block);
  for (KernelGroup &group : groupOps(block, fuse, pool))
    outline(group, kernels, prefix);
  forgetBorders(block);
  sortTopologically(&block);
  delayUpdates(block);
}

//===--- kernels that are the same -----------------------------------------------------------------

/// All that makes a kernel what it is, but for its body: not its name, and not where it comes from.
static bool sameSignature(func::FuncOp a, func::FuncOp b) {
  return a.getFunctionType() == b.getFunctionType() && a.getArgAttrsAttr() == b.getArgAttrsAttr() &&
         a->getAttr("fw.kernel") == b->getAttr("fw.kernel");
}

/// Keeps one of each kind: what train_step computes forward, gradients and evaluate_step do too.
static void shareKernels(ModuleOp module, ModuleOp kernels) {
  DenseMap<Type, SmallVector<func::FuncOp>> kept;
  llvm::StringMap<func::FuncOp> standsFor;
  for (auto kernel : llvm::to_vector(kernels.getOps<func::FuncOp>())) {
    SmallVector<func::FuncOp> &alike = kept[kernel.getFunctionType()];
    auto same = llvm::find_if(alike, [&](func::FuncOp other) {
      return sameSignature(kernel, other) &&
             OperationEquivalence::isRegionEquivalentTo(&kernel.getBody(), &other.getBody(),
                                                        OperationEquivalence::IgnoreLocations);
    });
    if (same == alike.end()) {
      alike.push_back(kernel);
      continue;
    }
    standsFor[kernel.getName()] = *same;
    kernel.erase();
  }
  module.walk([&](LaunchOp launch) {
    if (func::FuncOp kernel = standsFor.lookup(launch.getKernelName()))
      launch.setKernelAttr(
          SymbolRefAttr::get(kernels.getSymNameAttr(), {FlatSymbolRefAttr::get(kernel)}));
  });
}

namespace {
struct FormKernels : impl::FormKernelsBase<FormKernels> {
  using FormKernelsBase::FormKernelsBase;

  void runOnOperation() override {
    auto functions = llvm::to_vector(getOperation().getOps<func::FuncOp>());
    ModuleOp kernels = kernelsOf(getOperation());
    SymbolTable symbols(kernels);
    for (func::FuncOp function : functions) {
      dropEmpty(function);
      ownInitialValues(function);
      eraseUnused(function);
      SmallVector<Block *> blocks;
      function.walk([&](Block *block) {
        if (!isa<linalg::LinalgOp, tensor::PadOp>(block->getParentOp()))
          blocks.push_back(block);
      });
      for (Block *block : blocks)
        formKernels(*block, symbols, function.getName(), fuse, pool);
    }
    shareKernels(getOperation(), kernels);
  }
};
} // namespace

} // namespace formwork
