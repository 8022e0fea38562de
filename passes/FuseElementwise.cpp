// Pointwise ops into one: fewer tensors, each element computed where it is needed.
//
// Upstream's patterns fuse a producer into each consumer and so compute it again for each; a
// control function lets only cheap ones be computed twice. What is left, a producer that others
// read too, is fused by computing several results at once: Adam's three updates of a variable are
// one op.
//
// Never computes twice what is expensive, and never puts arithmetic into a contraction, whose body
// must stay a product and a sum; transposes of what it reads and of its result go into its maps.
// What follows a contraction is brought into the shape that it computes in, so that both can be one
// kernel.
#include "ir/Rewriting.h"
#include "passes/LoopNests.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_FUSEELEMENTWISE
#include "passes/Passes.h.inc"

using linalg::GenericOp;

//===--- what an op is ---------------------------------------------------------------------------

/// Whether results are elements of an input, unchanged.
static bool onlyMoves(GenericOp op) {
  return isPointwise(op) && llvm::all_of(op.getBody()->getTerminator()->getOperands(),
                                         [](Value value) { return isa<BlockArgument>(value); });
}

/// Computed again for less than a load costs: a few plain operations.
static bool isCheap(GenericOp op) {
  constexpr int64_t fewOperations = 4;
  int64_t operations = 0;
  for (Operation &inner : op.getBody()->without_terminator()) {
    if (isa<arith::DivFOp, arith::RemFOp, linalg::IndexOp, tensor::ExtractOp>(inner) ||
        isa<math::MathDialect>(inner.getDialect()))
      return false;
    operations += !isa<arith::ConstantOp>(inner);
  }
  return operations <= fewOperations;
}

/// Whether `value` is read by another op than `reader`. Those that were fused already and wait to
/// be erased do not count.
static bool isReadElsewhere(Value value, Operation *reader) {
  return llvm::any_of(value.getUsers(),
                      [&](Operation *user) { return user != reader && !isOpTriviallyDead(user); });
}

/// Whether the tensors that `op` reads are in memory even if every reader computes `op` anew: at
/// most one of full size, which others need as well.
static bool readsWhatIsThere(GenericOp op) {
  int64_t whole = 0;
  for (OpOperand *input : op.getDpsInputOperands())
    if (op.getMatchingIndexingMap(input).getNumResults() == op.getNumLoops()) {
      ++whole;
      if (!isa<BlockArgument>(input->get()) && !isReadElsewhere(input->get(), op))
        return false;
    }
  return whole <= 1;
}

//===--- upstream's fusion, controlled -----------------------------------------------------------

static bool shouldFuse(OpOperand *operand) {
  auto producer = operand->get().getDefiningOp<GenericOp>();
  auto consumer = dyn_cast<GenericOp>(operand->getOwner());
  if (!producer || !consumer || producer->getBlock() != consumer->getBlock())
    return false;
  // A sum of one product is no element of another sum.
  if (producer.payloadUsesValueFromOperand(producer.getDpsInitOperand(0)))
    return false;
  AffineMap read = consumer.getMatchingIndexingMap(operand);
  if (contracts(consumer))
    return onlyMoves(producer) && producer.getNumDpsInputs() == 1 &&
           read.isProjectedPermutation() &&
           producer.getMatchingIndexingMap(producer.getDpsInputOperand(0)).isPermutation();
  if (onlyMoves(producer))
    return true;
  bool once = !isReadElsewhere(operand->get(), consumer) && producer.getNumResults() == 1;
  bool repeats = !llvm::all_of(llvm::seq(read.getNumDims()),
                               [&](unsigned loop) { return read.isFunctionOfDim(loop); });
  if (once && !repeats)
    return true;
  return isCheap(producer) && (once || readsWhatIsThere(producer));
}

static LogicalResult fuseProducers(func::FuncOp function) {
  RewritePatternSet patterns(function.getContext());
  linalg::populateElementwiseOpsFusionPatterns(patterns, shouldFuse);
  return applyPatternsGreedily(function, std::move(patterns), structuredRewriting());
}

//===--- shapes and orders of a contraction's result ---------------------------------------------

/// What a contraction starts from, in another order of dimensions: an empty tensor, filled or not.
static Value turnedInitial(RewriterBase &rewriter, Value initial, ArrayRef<int64_t> permutation) {
  Operation *op = initial.getDefiningOp();
  if (auto fill = dyn_cast_if_present<linalg::FillOp>(op)) {
    Value empty = turnedInitial(rewriter, fill.output(), permutation);
    return empty ? linalg::FillOp::create(rewriter, fill.getLoc(), fill.value(), empty).getResult(0)
                 : Value();
  }
  auto empty = dyn_cast_if_present<tensor::EmptyOp>(op);
  if (!empty)
    return {};
  SmallVector<OpFoldResult> sizes =
      applyPermutation(ArrayRef<OpFoldResult>(empty.getMixedSizes()), permutation);
  return tensor::EmptyOp::create(rewriter, empty.getLoc(), sizes, empty.getType().getElementType());
}

/// Brings the parallel loops of a contraction into the order of its result's dimensions, so that it
/// writes them in their order in memory.
static FailureOr<GenericOp> orderLoops(RewriterBase &rewriter, GenericOp contraction) {
  SmallVector<unsigned> order;
  for (AffineExpr index : contraction.getIndexingMapsArray().back().getResults())
    order.push_back(cast<AffineDimExpr>(index).getPosition());
  for (unsigned loop = 0; loop < contraction.getNumLoops(); ++loop)
    if (!llvm::is_contained(order, loop))
      order.push_back(loop);
  return linalg::interchangeGenericOp(rewriter, contraction, order);
}

namespace {
/// A contraction whose result is only turned writes it turned.
struct TurnContraction : OpRewritePattern<GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(GenericOp turn, PatternRewriter &rewriter) const override {
    if (!onlyMoves(turn) || turn.getNumDpsInputs() != 1 || turn.getNumResults() != 1)
      return failure();
    OpOperand *input = turn.getDpsInputOperand(0), *output = turn.getDpsInitOperand(0);
    auto contraction = input->get().getDefiningOp<GenericOp>();
    AffineMap read = turn.getMatchingIndexingMap(input);
    if (!contraction || !contracts(contraction) || contraction.getNumResults() != 1 ||
        isReadElsewhere(input->get(), turn) || contraction->getBlock() != turn->getBlock() ||
        !read.isPermutation() || !turn.getMatchingIndexingMap(output).isIdentity() ||
        !contraction.getIndexingMapsArray().back().isProjectedPermutation())
      return failure();
    // Dimension i of the turned result is dimension permutation[i] of the contraction's.
    SmallVector<int64_t> permutation;
    for (AffineExpr index : inversePermutation(read).getResults())
      permutation.push_back(cast<AffineDimExpr>(index).getPosition());
    rewriter.setInsertionPoint(contraction);
    Value initial = turnedInitial(rewriter, contraction.getDpsInits().front(), permutation);
    if (!initial)
      return failure();
    SmallVector<AffineMap> maps = contraction.getIndexingMapsArray();
    maps.back() = AffineMap::get(maps.back().getNumDims(), 0,
                                 applyPermutation(maps.back().getResults(), permutation),
                                 rewriter.getContext());
    auto turned = GenericOp::create(rewriter, contraction.getLoc(), initial.getType(),
                                    contraction.getDpsInputs(), initial, maps,
                                    contraction.getIteratorTypesArray());
    rewriter.cloneRegionBefore(contraction.getRegion(), turned.getRegion(),
                               turned.getRegion().begin());
    FailureOr<GenericOp> ordered = orderLoops(rewriter, turned);
    assert(succeeded(ordered) && "a contraction's loops can be in any order");
    rewriter.replaceOp(turn, *ordered);
    return success();
  }
};
} // namespace

/// Whether a pointwise op reads a contraction's result through this reshape.
static bool shouldExpand(OpOperand *operand) {
  auto reshape = operand->get().getDefiningOp<tensor::CollapseShapeOp>();
  auto consumer = dyn_cast<linalg::LinalgOp>(operand->getOwner());
  if (!reshape || !consumer || !isPointwise(consumer))
    return false;
  auto producer = reshape.getSrc().getDefiningOp<linalg::LinalgOp>();
  return producer && contracts(producer) && producer->getBlock() == consumer->getBlock();
}

static LogicalResult turnContractions(func::FuncOp function) {
  RewritePatternSet patterns(function.getContext());
  patterns.add<TurnContraction>(function.getContext());
  return applyPatternsGreedily(function, std::move(patterns), structuredRewriting());
}

static LogicalResult expandConsumers(func::FuncOp function) {
  RewritePatternSet patterns(function.getContext());
  linalg::populateFoldReshapeOpsByExpansionPatterns(patterns, shouldExpand);
  tensor::populateFoldTensorEmptyPatterns(patterns);
  // New ops take their sizes from tensors, which shall be as few as before.
  memref::populateResolveRankedShapedTypeResultDimsPatterns(patterns);
  return applyPatternsGreedily(function, std::move(patterns), structuredRewriting());
}

//===--- several results at once -----------------------------------------------------------------

/// The ops between two that depend on the first, in their order; nothing if the last depends on one
/// of them, and so on the first other than directly.
static std::optional<SmallVector<Operation *>> dependentsBetween(Operation *first,
                                                                 Operation *last) {
  // Along uses: what lies between a layer's forward and backward pass is most of the function.
  llvm::SmallSetVector<Operation *, 16> dependent;
  SmallVector<Operation *> open{first};
  while (!open.empty() && !first->hasOneUse()) {
    Operation *op = open.pop_back_val();
    for (Operation *user : op->getUsers()) {
      Operation *reader = last->getBlock()->findAncestorOpInBlock(*user);
      if (reader == last && op != first)
        return std::nullopt;
      if (reader->isBeforeInBlock(last) && dependent.insert(reader))
        open.push_back(reader);
    }
  }
  SmallVector<Operation *> inOrder = dependent.takeVector();
  llvm::sort(inOrder, [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  return inOrder;
}

/// Whether both ops visit the same elements in the same order.
static bool sameElements(GenericOp producer, GenericOp consumer) {
  auto plainIn = [](GenericOp op) {
    return [op](OpOperand *operand) mutable {
      return op.getMatchingIndexingMap(operand).isIdentity();
    };
  };
  auto initials = [](GenericOp op) { return llvm::make_pointer_range(op.getDpsInitsMutable()); };
  auto fromProducer = [&](OpOperand *operand) {
    return operand->get().getDefiningOp() == producer;
  };
  return isPointwise(producer) && isPointwise(consumer) &&
         llvm::all_of(initials(producer), plainIn(producer)) &&
         llvm::none_of(initials(consumer), fromProducer) &&
         llvm::all_of(llvm::make_filter_range(consumer.getDpsInputOperands(), fromProducer),
                      plainIn(consumer));
}

namespace {
/// One op that computes what both compute, the producer's results first.
class Union {
public:
  Union(GenericOp producer, GenericOp consumer) : producer(producer), consumer(consumer) {
    for (GenericOp op : {producer, consumer})
      collect(op);
  }
  GenericOp create(OpBuilder &builder);

private:
  /// Whether `operand` of the consumer is computed by the op itself.
  bool isInside(OpOperand &operand) { return operand.get().getDefiningOp() == producer; }
  void collect(GenericOp op);
  void cloneBody(OpBuilder &builder, GenericOp op, ValueRange arguments,
                 SmallVectorImpl<Value> &results);

  GenericOp producer, consumer;
  SmallVector<OpOperand *> inputs, initials;
};
} // namespace

void Union::collect(GenericOp op) {
  for (OpOperand *input : op.getDpsInputOperands())
    if (!isInside(*input))
      inputs.push_back(input);
  for (OpOperand &initial : op.getDpsInitsMutable())
    initials.push_back(&initial);
}

/// Clones what `op` computes of each element; `results` are those of the ops before it.
void Union::cloneBody(OpBuilder &builder, GenericOp op, ValueRange arguments,
                      SmallVectorImpl<Value> &results) {
  IRMapping values;
  for (auto [operand, argument] :
       llvm::zip_equal(llvm::concat<OpOperand *>(inputs, initials), arguments))
    if (operand->getOwner() == op)
      values.map(op.getMatchingBlockArgument(operand), argument);
  for (OpOperand *input : op.getDpsInputOperands())
    if (isInside(*input))
      values.map(op.getMatchingBlockArgument(input),
                 results[cast<OpResult>(input->get()).getResultNumber()]);
  for (Operation &inner : op.getBody()->without_terminator())
    builder.clone(inner, values);
  for (Value value : op.getBody()->getTerminator()->getOperands())
    results.push_back(values.lookupOrDefault(value));
}

GenericOp Union::create(OpBuilder &builder) {
  auto values = [](ArrayRef<OpOperand *> operands) {
    return llvm::map_to_vector(operands, [](OpOperand *operand) { return operand->get(); });
  };
  auto maps =
      llvm::map_to_vector(llvm::concat<OpOperand *>(inputs, initials), [](OpOperand *operand) {
        return cast<GenericOp>(operand->getOwner()).getMatchingIndexingMap(operand);
      });
  Location both = FusedLoc::get(builder.getContext(), {producer.getLoc(), consumer.getLoc()});
  return GenericOp::create(builder, both, ValueRange(values(initials)).getTypes(), values(inputs),
                           values(initials), maps, consumer.getIteratorTypesArray(),
                           [&](OpBuilder &body, Location, ValueRange arguments) {
                             SmallVector<Value> results;
                             cloneBody(body, producer, arguments, results);
                             cloneBody(body, consumer, arguments, results);
                             linalg::YieldOp::create(body, both, results);
                           });
}

/// Fuses a producer of `consumer` that others read too; those read the fused op then, and what of
/// them stood before the consumer stands after it. Null if there is none.
static GenericOp fuseSharedProducer(GenericOp consumer, IRRewriter &rewriter) {
  for (OpOperand *operand : consumer.getDpsInputOperands()) {
    auto producer = operand->get().getDefiningOp<GenericOp>();
    if (!producer || producer->getBlock() != consumer->getBlock() ||
        !sameElements(producer, consumer))
      continue;
    auto dependents = dependentsBetween(producer, consumer);
    if (!dependents)
      continue;
    rewriter.setInsertionPoint(consumer);
    GenericOp united = Union(producer, consumer).create(rewriter);
    for (Operation *dependent : llvm::reverse(*dependents))
      rewriter.moveOpAfter(dependent, united);
    rewriter.replaceOp(producer, united.getResults().take_front(producer.getNumResults()));
    rewriter.replaceOp(consumer, united.getResults().take_back(consumer.getNumResults()));
    return united;
  }
  return {};
}

/// In the order of the block: whatever a fusion makes possible comes after it.
static void fuseSharedProducers(Block &block, IRRewriter &rewriter) {
  for (Operation *op = &block.front(); op;) {
    auto consumer = dyn_cast<GenericOp>(op);
    GenericOp united = consumer ? fuseSharedProducer(consumer, rewriter) : GenericOp();
    op = united ? united : op->getNextNode();
  }
}

static LogicalResult fuseSharedProducers(func::FuncOp function) {
  IRRewriter rewriter(function.getContext());
  SmallVector<Block *> blocks;
  function.walk([&](Block *block) {
    if (!isa<linalg::LinalgOp>(block->getParentOp()) && !block->empty())
      blocks.push_back(block);
  });
  for (Block *block : blocks)
    fuseSharedProducers(*block, rewriter);
  RewritePatternSet patterns(function.getContext());
  linalg::populateEraseUnusedOperandsAndResultsPatterns(patterns);
  return applyPatternsGreedily(function, std::move(patterns), structuredRewriting());
}

//===--- the pass --------------------------------------------------------------------------------

/// Named ops become generics, so that what follows knows one kind of op.
static LogicalResult generalize(func::FuncOp function) {
  IRRewriter rewriter(function.getContext());
  SmallVector<linalg::LinalgOp> named;
  function.walk([&](linalg::LinalgOp op) {
    if (!isa<GenericOp, linalg::FillOp>(op.getOperation()))
      named.push_back(op);
  });
  for (linalg::LinalgOp op : named) {
    rewriter.setInsertionPoint(op);
    if (failed(linalg::generalizeNamedOp(rewriter, op)))
      return op.emitOpError("cannot be written as a loop nest");
  }
  return success();
}

namespace {
struct FuseElementwise : impl::FuseElementwiseBase<FuseElementwise> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    // What turns a contraction's result must not become part of another op that reads it.
    if (failed(generalize(function)) || failed(turnContractions(function)) ||
        failed(fuseProducers(function)) || failed(expandConsumers(function)) ||
        failed(fuseSharedProducers(function)))
      return signalPassFailure();
  }
};
} // namespace

} // namespace formwork
