// How ops do the work of a whole loop, and sums over all steps of contractions, which are
// contractions over the steps as well.
#include "ir/Stacking.h"
#include "ir/Broadcasting.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;

namespace formwork {

static int64_t rankOf(Value value) { return cast<RankedTensorType>(value.getType()).getRank(); }

/// Dimensions of a tensor as they are called when it is stacked.
static SmallVector<int64_t> shifted(ArrayRef<int64_t> axes) {
  return llvm::map_to_vector(axes, [](int64_t axis) { return axis + 1; });
}

//===--- any op ----------------------------------------------------------------------------------

/// The leading dimensions of stacked operands meet only if the operands are of one rank.
static bool canStackElementwise(Operation *op, const llvm::BitVector &stacked) {
  int64_t rank = rankOf(op->getResult(0));
  return llvm::all_of(stacked.set_bits(),
                      [&](unsigned i) { return rankOf(op->getOperand(i)) == rank; });
}

bool canStack(Operation *op, const llvm::BitVector &stacked) {
  if (isa<ElementwiseOp>(op))
    return canStackElementwise(op, stacked);
  auto stackable = dyn_cast<StackableOp>(op);
  return stackable && stackable.canStack(stacked);
}

Value stack(ImplicitLocOpBuilder &builder, Operation *op, ValueRange operands,
            const llvm::BitVector &stacked) {
  if (auto stackable = dyn_cast<StackableOp>(op))
    return stackable.stack(builder, operands, stacked);
  SmallVector<Type> types;
  LogicalResult inferred = cast<InferTypeOpInterface>(op).inferReturnTypes(
      op->getContext(), op->getLoc(), operands, op->getDiscardableAttrDictionary(),
      op->getPropertiesStorage(), op->getRegions(), types);
  assert(succeeded(inferred) && "what fits step by step fits stacked");
  (void)inferred;
  IRMapping mapping;
  mapping.map(op->getOperands(), operands);
  Operation *all = builder.clone(*op, mapping);
  all->getResult(0).setType(types.front());
  return all->getResult(0);
}

bool gainsFromStacking(Operation *op) {
  auto stackable = dyn_cast<StackableOp>(op);
  return stackable && stackable.gainsFromStacking();
}

//===--- dot_general -----------------------------------------------------------------------------

bool DotGeneralOp::canStack(const llvm::BitVector &) { return true; }

bool DotGeneralOp::gainsFromStacking() { return true; }

// Of two stacked operands the steps are a batch; of one they are what remains of it.
Value DotGeneralOp::stack(ImplicitLocOpBuilder &builder, ValueRange operands,
                          const llvm::BitVector &stacked) {
  SmallVector<int64_t> aContract(getAContract()), bContract(getBContract()), aBatch(getABatch()),
      bBatch(getBBatch());
  if (stacked[0])
    aContract = shifted(aContract), aBatch = shifted(aBatch);
  if (stacked[1])
    bContract = shifted(bContract), bBatch = shifted(bBatch);
  if (stacked.all())
    aBatch.insert(aBatch.begin(), 0), bBatch.insert(bBatch.begin(), 0);
  Value product =
      DotGeneralOp::create(builder, operands[0], operands[1], aContract, bContract, aBatch, bBatch);
  int64_t stepsAt = stacked.all() ? 0
                    : stacked[0]  ? getABatch().size()
                                  : rankOf(getA()) - int64_t(getAContract().size());
  SmallVector<int64_t> order = {stepsAt};
  for (int64_t i = 0; i < rankOf(product); ++i)
    if (i != stepsAt)
      order.push_back(i);
  return builder.createOrFold<TransposeOp>(product, order);
}

//===--- transpose -------------------------------------------------------------------------------

bool TransposeOp::canStack(const llvm::BitVector &) { return true; }

bool TransposeOp::gainsFromStacking() { return false; }

Value TransposeOp::stack(ImplicitLocOpBuilder &builder, ValueRange operands,
                         const llvm::BitVector &) {
  SmallVector<int64_t> permutation = shifted(getPermutation());
  permutation.insert(permutation.begin(), 0);
  return TransposeOp::create(builder, operands[0], permutation);
}

//===--- reduce_sum, sum_like --------------------------------------------------------------------

bool ReduceSumOp::canStack(const llvm::BitVector &) { return true; }

bool ReduceSumOp::gainsFromStacking() { return false; }

Value ReduceSumOp::stack(ImplicitLocOpBuilder &builder, ValueRange operands,
                         const llvm::BitVector &) {
  return ReduceSumOp::create(builder, operands[0], shifted(getAxes()), getKeepdims());
}

/// The dimensions of x along which it is summed: those `like` lacks, and those where it is 1.
static std::pair<SmallVector<int64_t>, SmallVector<int64_t>> summedAxes(SumLikeOp op) {
  RankedTensorType x = op.getX().getType(), like = op.getType();
  int64_t leading = x.getRank() - like.getRank();
  auto lacking = llvm::to_vector(llvm::seq<int64_t>(0, leading));
  SmallVector<int64_t> ones;
  for (int64_t i = 0; i < like.getRank(); ++i)
    if (like.getDimSize(i) == 1 && x.getDimSize(leading + i) != 1)
      ones.push_back(leading + i);
  return {lacking, ones};
}

bool SumLikeOp::canStack(const llvm::BitVector &stacked) { return !stacked[1]; }

bool SumLikeOp::gainsFromStacking() { return false; }

Value SumLikeOp::stack(ImplicitLocOpBuilder &builder, ValueRange operands,
                       const llvm::BitVector &) {
  auto [lacking, ones] = summedAxes(*this);
  Expr y(builder, operands[0]);
  if (!ones.empty())
    y = sum(y, shifted(ones), /*keepdims=*/true);
  if (!lacking.empty())
    y = sum(y, shifted(lacking));
  return y.value();
}

//===--- canonicalize: sums of contractions, of transposes, of sums ------------------------------

namespace {
/// A contraction summed over batch dimensions contracts them. Without it, a weight's gradient would
/// be computed for each step of a loop and then summed.
struct ContractBatch : OpRewritePattern<ReduceSumOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ReduceSumOp sum, PatternRewriter &rewriter) const override {
    auto dot = sum.getX().getDefiningOp<DotGeneralOp>();
    int64_t batches = dot ? dot.getABatch().size() : 0;
    if (!dot || !dot->hasOneUse() || sum.getKeepdims() || sum.getAxes().empty() ||
        llvm::any_of(sum.getAxes(), [&](int64_t axis) { return axis >= batches; }))
      return failure();
    SmallVector<int64_t> aContract, bContract, aBatch, bBatch;
    for (int64_t i = 0; i < batches; ++i) {
      bool summed = llvm::is_contained(sum.getAxes(), i);
      (summed ? aContract : aBatch).push_back(dot.getABatch()[i]);
      (summed ? bContract : bBatch).push_back(dot.getBBatch()[i]);
    }
    llvm::append_range(aContract, dot.getAContract());
    llvm::append_range(bContract, dot.getBContract());
    rewriter.replaceOpWithNewOp<DotGeneralOp>(sum, dot.getA(), dot.getB(), aContract, bContract,
                                              aBatch, bBatch);
    return success();
  }
};

/// Sums first, transposes what is left.
struct SumBeforeTranspose : OpRewritePattern<ReduceSumOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ReduceSumOp sum, PatternRewriter &rewriter) const override {
    auto transpose = sum.getX().getDefiningOp<TransposeOp>();
    if (!transpose || !transpose->hasOneUse() || sum.getKeepdims())
      return failure();
    auto axes = llvm::map_to_vector(sum.getAxes(),
                                    [&](int64_t axis) { return transpose.getPermutation()[axis]; });
    llvm::sort(axes);
    SmallVector<int64_t> permutation;
    for (auto [i, axis] : llvm::enumerate(transpose.getPermutation()))
      if (!llvm::is_contained(sum.getAxes(), int64_t(i)))
        permutation.push_back(axis -
                              llvm::count_if(axes, [&](int64_t summed) { return summed < axis; }));
    Value less = ReduceSumOp::create(rewriter, sum.getLoc(), transpose.getX(), axes,
                                     /*keepdims=*/false);
    rewriter.replaceOpWithNewOp<TransposeOp>(sum, less, permutation);
    return success();
  }
};

/// One sum over the axes of two.
struct MergeSums : OpRewritePattern<ReduceSumOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ReduceSumOp outer, PatternRewriter &rewriter) const override {
    auto inner = outer.getX().getDefiningOp<ReduceSumOp>();
    if (!inner || !inner->hasOneUse() || outer.getKeepdims() || inner.getKeepdims())
      return failure();
    SmallVector<int64_t> axes(inner.getAxes());
    for (auto [left, axis] : llvm::enumerate(otherAxes(inner.getX(), inner.getAxes())))
      if (llvm::is_contained(outer.getAxes(), int64_t(left)))
        axes.push_back(axis);
    llvm::sort(axes);
    rewriter.replaceOpWithNewOp<ReduceSumOp>(outer, inner.getX(), axes, /*keepdims=*/false);
    return success();
  }
};
} // namespace

void ReduceSumOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<ContractBatch, SumBeforeTranspose, MergeSums>(context);
}

} // namespace formwork
