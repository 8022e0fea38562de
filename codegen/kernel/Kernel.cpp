#include "codegen/kernel/Kernel.h"

#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace formwork {

//===--- sets of dimensions ----------------------------------------------------------------------

bool contains(ArrayRef<Dim> dims, Dim dim) { return llvm::is_contained(dims, dim); }

Dims without(ArrayRef<Dim> dims, ArrayRef<Dim> others) {
  Dims left;
  llvm::copy_if(dims, std::back_inserter(left), [&](Dim dim) { return !contains(others, dim); });
  return left;
}

bool dependsOn(AffineMap access, Dim dim) { return access.isFunctionOfDim(dim); }

Step stepOf(AffineMap access, Dim dim) {
  if (!dependsOn(access, dim))
    return Step::None;
  for (AffineExpr index : access.getResults().drop_back())
    if (index.isFunctionOfDim(dim))
      return Step::Strided;
  AffineExpr last = access.getResults().back(), d = getAffineDimExpr(dim, access.getContext());
  AffineExpr next = last.replace(d, d + 1);
  AffineExpr step = simplifyAffineExpr(next - last, access.getNumDims(), 0);
  return step == getAffineConstantExpr(1, access.getContext()) ? Step::Unit : Step::Strided;
}

//===--- normal form -----------------------------------------------------------------------------

/// Makes a returned or inserted value that nothing computes a copy of itself, into `empty` if that
/// is given.
static void copyIfNotComputed(RewriterBase &rewriter, OpOperand &use, Value empty) {
  Value value = use.get();
  while (isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  if (isa_and_nonnull<linalg::LinalgOp, tensor::InsertSliceOp>(value.getDefiningOp()))
    return;
  rewriter.setInsertionPoint(use.getOwner());
  Location location = use.getOwner()->getLoc();
  if (!empty) {
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(rewriter, location, use.get());
    empty = tensor::EmptyOp::create(rewriter, location, sizes, getElementTypeOrSelf(use.get()));
  }
  use.set(linalg::CopyOp::create(rewriter, location, use.get(), empty).getResult(0));
}

LogicalResult Kernel::normalize(func::FuncOp function) {
  IRRewriter rewriter(function.getContext());
  auto outputs = function.getArguments().take_back(function.getNumResults());
  for (auto [returned, output] :
       llvm::zip_equal(function.front().getTerminator()->getOpOperands(), outputs))
    copyIfNotComputed(rewriter, returned, output);
  for (auto insert : llvm::make_early_inc_range(function.getOps<tensor::InsertSliceOp>()))
    copyIfNotComputed(rewriter, insert.getSourceMutable(), {});
  for (auto op : llvm::make_early_inc_range(function.getOps<linalg::LinalgOp>())) {
    if (isa<linalg::GenericOp>(op.getOperation()))
      continue;
    rewriter.setInsertionPoint(op);
    if (failed(linalg::generalizeNamedOp(rewriter, op)))
      return op->emitError() << "no schedule for this op";
  }
  return success();
}

LogicalResult Kernel::forEach(Operation *scope,
                              llvm::function_ref<LogicalResult(func::FuncOp)> schedule) {
  SmallVector<func::FuncOp> kernels;
  scope->walk([&](func::FuncOp function) {
    if (function->hasAttr("fw.kernel") && !function.isExternal())
      kernels.push_back(function);
  });
  for (func::FuncOp kernel : kernels) {
    // Scheduling gives its function another name.
    std::string name = kernel.getName().str();
    if (succeeded(normalize(kernel)) && succeeded(schedule(kernel)))
      continue;
    kernel->emitRemark() << "in kernel '" << name << "'";
    return failure();
  }
  return success();
}

//===--- loops to dimensions ---------------------------------------------------------------------

namespace {
/// Joins loops of different ops, unless that made two loops of one op the same.
class LoopClasses {
public:
  unsigned add(unsigned op) {
    opsOf.push_back({op});
    leader.push_back(leader.size());
    return leader.size() - 1;
  }
  unsigned find(unsigned loop) const {
    while (leader[loop] != loop)
      loop = leader[loop];
    return loop;
  }
  bool join(unsigned a, unsigned b) {
    a = find(a), b = find(b);
    if (a == b)
      return true;
    if (llvm::any_of(opsOf[b], [&](unsigned op) { return llvm::is_contained(opsOf[a], op); }))
      return false;
    if (b < a)
      std::swap(a, b);
    llvm::append_range(opsOf[a], opsOf[b]);
    leader[b] = a;
    return true;
  }

private:
  SmallVector<unsigned> leader;
  SmallVector<SmallVector<unsigned>> opsOf;
};
} // namespace

Kernel::Kernel(func::FuncOp function) : function(function) {
  llvm::append_range(ops, function.getOps<linalg::GenericOp>());
  unifyLoops();
  findOutputs();
}

void Kernel::unifyLoops() {
  LoopClasses classes;
  DenseMap<Operation *, SmallVector<unsigned>> ids;
  for (auto [i, op] : llvm::enumerate(ops))
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
      ids[op].push_back(classes.add(i));

  auto joinThrough = [&](AffineMap a, linalg::GenericOp opA, AffineMap b, linalg::GenericOp opB) {
    for (auto [x, y] : llvm::zip_equal(a.getResults(), b.getResults()))
      if (isa<AffineDimExpr>(x) && isa<AffineDimExpr>(y))
        classes.join(ids[opA][cast<AffineDimExpr>(x).getPosition()],
                     ids[opB][cast<AffineDimExpr>(y).getPosition()]);
  };
  for (auto op : ops)
    for (OpOperand &operand : op->getOpOperands())
      if (auto producer = operand.get().getDefiningOp<linalg::GenericOp>())
        joinThrough(op.getMatchingIndexingMap(&operand), op,
                    producer.getIndexingMapMatchingResult(cast<OpResult>(operand.get())), producer);

  DenseMap<unsigned, Dim> dims;
  for (auto op : ops) {
    Dims &loops = loopsOf[op];
    for (auto [id, size] : llvm::zip_equal(ids[op], op.getStaticLoopRanges())) {
      auto [entry, isNew] = dims.try_emplace(classes.find(id), sizes.size());
      if (isNew)
        sizes.push_back(size);
      else if (!ShapedType::isDynamic(size))
        sizes[entry->second] = size;
      loops.push_back(entry->second);
    }
  }
}

Dims Kernel::parallel(linalg::GenericOp op) const {
  Dims dims;
  for (auto [dim, kind] : llvm::zip_equal(loops(op), op.getIteratorTypesArray()))
    if (kind == utils::IteratorType::parallel)
      dims.push_back(dim);
  return dims;
}

Dims Kernel::reduced(linalg::GenericOp op) const { return without(loops(op), parallel(op)); }

static AffineMap over(AffineMap map, ArrayRef<Dim> loops, unsigned dimCount) {
  SmallVector<AffineExpr> dims;
  for (Dim dim : loops)
    dims.push_back(getAffineDimExpr(dim, map.getContext()));
  return map.replaceDimsAndSymbols(dims, {}, dimCount, 0);
}

AffineMap Kernel::access(OpOperand &operand) const {
  auto op = cast<linalg::GenericOp>(operand.getOwner());
  return over(op.getMatchingIndexingMap(&operand), loops(op), dimCount());
}

AffineMap Kernel::access(OpResult result) const {
  auto op = cast<linalg::GenericOp>(result.getOwner());
  return over(op.getIndexingMapMatchingResult(result), loops(op), dimCount());
}

//===--- outputs ---------------------------------------------------------------------------------

void Kernel::findOutputs() {
  struct Pending {
    Value value;
    unsigned position;
    SmallVector<Operation *> path;
  };
  std::vector<Pending> pending;
  for (auto [i, value] : llvm::enumerate(function.front().getTerminator()->getOperands()))
    pending.push_back({value, unsigned(i), {}});
  while (!pending.empty()) {
    Pending next = std::move(pending.back());
    pending.pop_back();
    Operation *op = next.value.getDefiningOp();
    if (isa_and_nonnull<linalg::GenericOp>(op)) {
      outputs.push_back({next.value, next.position, next.path});
    } else if (auto insert = dyn_cast_or_null<tensor::InsertSliceOp>(op)) {
      pending.push_back({insert.getDest(), next.position, next.path});
      next.path.push_back(op);
      pending.push_back({insert.getSource(), next.position, next.path});
    } else if (isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op)) {
      next.path.push_back(op);
      pending.push_back({op->getOperand(0), next.position, next.path});
    } // else the argument itself, or what an insertion covers
  }
}

bool Kernel::isOutput(Value value) const {
  return llvm::any_of(outputs, [&](const Output &output) { return output.value == value; });
}

//===--- what an op is ---------------------------------------------------------------------------

bool isReduction(linalg::GenericOp op) { return op.getNumReductionLoops() > 0; }

Operation *combinerOf(linalg::GenericOp op) {
  if (op.getNumDpsInits() != 1)
    return nullptr;
  Operation *last = op.getBlock()->getTerminator()->getOperand(0).getDefiningOp();
  BlockArgument accumulator = op.getRegionOutputArgs()[0];
  bool reorders =
      isa_and_nonnull<arith::AddFOp, arith::MulFOp, arith::MaximumFOp, arith::MinimumFOp,
                      arith::MaxNumFOp, arith::MinNumFOp, arith::AddIOp, arith::MulIOp,
                      arith::MaxSIOp, arith::MinSIOp, arith::MaxUIOp, arith::MinUIOp, arith::AndIOp,
                      arith::OrIOp>(last);
  bool once =
      accumulator.hasOneUse() && reorders && llvm::is_contained(last->getOperands(), accumulator);
  return once ? last : nullptr;
}

bool isMultiplyAdd(linalg::GenericOp op) {
  auto sum = dyn_cast_or_null<arith::AddFOp>(combinerOf(op));
  if (!sum)
    return false;
  Value other = sum.getLhs() == op.getRegionOutputArgs()[0] ? sum.getRhs() : sum.getLhs();
  return other.getDefiningOp<arith::MulFOp>() && other.hasOneUse();
}

} // namespace formwork
