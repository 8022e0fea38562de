// Has a contraction compute an image window by window where only a pooling reads it.
//
//   y[h, w] = sum ..., z[p, q] = max y[2 p + a, 2 q + b]     becomes
//   y[p, a, q, b] = sum ..., z[p, q] = max y[p, a, q, b]
//
// Then both are of one space, [p, q], and one kernel: a tile's windows are pooled where they were
// computed, and the image is never in memory. The same products in the same order.
//
// Only windows that neither overlap nor leave a gap, and cover the image; what is between the
// contraction and the pooling is pointwise, and nobody else reads it. Narrow images that are padded
// stay whole: a tile of whole rows leaves out what multiplies the zeros beside them.
#include "passes/LoopNests.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_SPLITWINDOWS
#include "passes/Passes.h.inc"

using linalg::GenericOp;

//===--- what can be split -----------------------------------------------------------------------

namespace {
/// A pooling of an image, and what computes that.
struct Pooling {
  GenericOp op;
  OpOperand *image;
  /// For each axis of the image its window's size; 1 where it is not pooled.
  SmallVector<int64_t> windows;
  /// From the contraction on, each the only reader of the one before.
  SmallVector<GenericOp> producers;
};
} // namespace

namespace {
/// An index `size` * outer + inner, of loops.
struct WindowIndex {
  unsigned outer, inner;
  int64_t size;
};
} // namespace

/// Nothing for other indices.
static std::optional<WindowIndex> windowIndex(AffineExpr index) {
  auto sum = dyn_cast<AffineBinaryOpExpr>(index);
  auto scaled = sum ? dyn_cast<AffineBinaryOpExpr>(sum.getLHS()) : sum;
  if (!scaled || sum.getKind() != AffineExprKind::Add || scaled.getKind() != AffineExprKind::Mul)
    return std::nullopt;
  auto outer = dyn_cast<AffineDimExpr>(scaled.getLHS()),
       inner = dyn_cast<AffineDimExpr>(sum.getRHS());
  auto size = dyn_cast<AffineConstantExpr>(scaled.getRHS());
  if (!outer || !inner || !size)
    return std::nullopt;
  return WindowIndex{outer.getPosition(), inner.getPosition(), size.getValue()};
}

/// The windows' sizes, if they lie side by side and cover the image.
static std::optional<SmallVector<int64_t>> windowsOf(GenericOp op, OpOperand *image) {
  auto type = cast<RankedTensorType>(image->get().getType());
  SmallVector<int64_t> extents = op.getStaticLoopRanges(), windows;
  auto kinds = op.getIteratorTypesArray();
  auto isParallel = [&](unsigned loop) { return kinds[loop] == utils::IteratorType::parallel; };
  llvm::SmallBitVector reduced(op.getNumLoops());
  for (auto [axis, index] : llvm::enumerate(op.getMatchingIndexingMap(image).getResults())) {
    if (std::optional<WindowIndex> window = windowIndex(index)) {
      int64_t count = extents[window->outer];
      if (!isParallel(window->outer) || extents[window->inner] != window->size ||
          ShapedType::isDynamic(count) || count * window->size != type.getDimSize(axis))
        return std::nullopt;
      reduced.set(window->inner);
      windows.push_back(window->size);
    } else if (auto loop = dyn_cast<AffineDimExpr>(index); loop && isParallel(loop.getPosition())) {
      windows.push_back(1);
    } else {
      return std::nullopt;
    }
  }
  // The image's elements alone are reduced, each once.
  if (reduced.none() || reduced.count() != op.getNumReductionLoops())
    return std::nullopt;
  return windows;
}

/// Whether the body of `op` looks at nothing but one input and the results so far.
static bool readsOnly(GenericOp op, OpOperand *image) {
  return llvm::all_of(op.getDpsInputOperands(), [&](OpOperand *input) {
    return input == image || op.getMatchingBlockArgument(input).use_empty();
  });
}

static bool countsLoops(GenericOp op) { return !op.getBody()->getOps<linalg::IndexOp>().empty(); }

/// Whether an op's loops can be split at what it writes, and what it starts from be made anew.
static bool canSplit(GenericOp op) {
  Operation *initial = op.getDpsInits().front().getDefiningOp();
  return op.getNumResults() == 1 && op->hasOneUse() && !countsLoops(op) &&
         isa_and_present<linalg::FillOp, tensor::EmptyOp>(initial) &&
         op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isProjectedPermutation();
}

/// Whether an op sums products: of a pooling nothing is gained.
static bool sumsProducts(GenericOp op) {
  return contracts(op) && llvm::count_if(op.getDpsInputOperands(), [&](OpOperand *input) {
                            return !op.getMatchingBlockArgument(input).use_empty();
                          }) > 1;
}

/// What computes the image, down to a contraction.
static std::optional<SmallVector<GenericOp>> producersOf(OpOperand *image) {
  SmallVector<GenericOp> producers;
  Block *block = image->getOwner()->getBlock();
  for (auto op = image->get().getDefiningOp<GenericOp>(); op && op->getBlock() == block;) {
    if (!canSplit(op))
      return std::nullopt;
    producers.insert(producers.begin(), op);
    if (sumsProducts(op))
      return producers;
    if (!isPointwise(op))
      return std::nullopt;
    // Of several inputs the one that a contraction computes, read as it was written.
    GenericOp next;
    for (OpOperand *input : op.getDpsInputOperands())
      if (auto producer = input->get().getDefiningOp<GenericOp>();
          producer && producer->hasOneUse() && sumsProducts(producer) &&
          op.getMatchingIndexingMap(input) == op.getMatchingIndexingMap(op.getDpsInitOperand(0)))
        next = producer;
    op = next;
  }
  return std::nullopt;
}

/// Whether the pooling can be part of the contraction's kernel once its windows are axes.
static bool fitsTiles(const Pooling &pooling) {
  SmallVector<int64_t> shape;
  llvm::SmallBitVector reduced;
  auto add = [&](int64_t size, bool isReduced) {
    shape.push_back(size);
    reduced.push_back(isReduced);
  };
  auto type = cast<RankedTensorType>(pooling.image->get().getType());
  for (auto [size, window] : llvm::zip_equal(type.getShape(), pooling.windows)) {
    add(window == 1 ? size : size / window, false);
    if (window != 1)
      add(window, true);
  }
  return poolsInTile(shape, reduced);
}

/// Whether a tile may hold whole rows of the image, and those read zeros beside another image.
static bool isNarrowAndPadded(const Pooling &pooling) {
  constexpr int64_t tileRows = 16;
  size_t columns = 0;
  for (auto [axis, size] : llvm::enumerate(pooling.windows))
    if (size != 1)
      columns = axis;
  GenericOp contraction = pooling.producers.front();
  auto type = cast<RankedTensorType>(pooling.image->get().getType());
  return type.getDimSize(columns) <= tileRows &&
         llvm::any_of(contraction.getDpsInputs(), [](Value input) {
           return isa_and_present<tensor::InsertSliceOp>(input.getDefiningOp());
         });
}

static std::optional<Pooling> poolingOf(GenericOp op) {
  if (op.getNumReductionLoops() == 0 || op.getNumResults() != 1 || countsLoops(op))
    return std::nullopt;
  for (OpOperand *input : op.getDpsInputOperands()) {
    if (!slidesOver(op, input) || !readsOnly(op, input))
      continue;
    std::optional<SmallVector<int64_t>> windows = windowsOf(op, input);
    auto producers = windows ? producersOf(input) : std::nullopt;
    if (!producers)
      continue;
    Pooling found{op, input, *windows, *producers};
    if (fitsTiles(found) && !isNarrowAndPadded(found))
      return found;
  }
  return std::nullopt;
}

//===--- splitting -------------------------------------------------------------------------------

namespace {
/// Writes an op anew whose result has a dimension for the places in a window after each that is
/// pooled.
class Splitter {
public:
  Splitter(GenericOp op, ArrayRef<int64_t> windows, RewriterBase &rewriter)
      : op(op), windows(windows), rewriter(rewriter) {}

  /// With `split` in place of the input that was computed by an op before.
  GenericOp run(Value before, Value split);

private:
  void numberLoops();
  AffineMap splitMap(AffineMap map) const;
  AffineMap splitResults(AffineMap map) const;
  Value splitInitial(Value initial);

  GenericOp op;
  ArrayRef<int64_t> windows;
  RewriterBase &rewriter;
  /// What each old loop is in terms of the new ones, and the new ones of each axis of the result.
  SmallVector<AffineExpr> loops;
  SmallVector<SmallVector<AffineExpr, 2>> axes;
  SmallVector<utils::IteratorType> kinds;
};
} // namespace

void Splitter::numberLoops() {
  AffineMap written = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  axes.resize(written.getNumResults());
  auto addLoop = [&](utils::IteratorType kind) {
    kinds.push_back(kind);
    return rewriter.getAffineDimExpr(kinds.size() - 1);
  };
  for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray())) {
    AffineExpr first = addLoop(kind);
    std::optional<unsigned> axis = written.getResultPosition(rewriter.getAffineDimExpr(loop));
    loops.push_back(first);
    if (!axis)
      continue;
    axes[*axis].push_back(first);
    if (windows[*axis] == 1)
      continue;
    axes[*axis].push_back(addLoop(kind));
    loops.back() = first * windows[*axis] + axes[*axis].back();
  }
}

/// A map of what stays as it is.
AffineMap Splitter::splitMap(AffineMap map) const {
  return map.replaceDimsAndSymbols(loops, {}, kinds.size(), 0);
}

/// A map of what is split itself, whose axes are those of the result.
AffineMap Splitter::splitResults(AffineMap map) const {
  SmallVector<AffineExpr> results;
  for (auto axis : axes)
    llvm::append_range(results, axis);
  return AffineMap::get(kinds.size(), 0, results, map.getContext());
}

Value Splitter::splitInitial(Value initial) {
  if (auto fill = initial.getDefiningOp<linalg::FillOp>())
    return linalg::FillOp::create(rewriter, fill.getLoc(), fill.value(),
                                  splitInitial(fill.output()))
        .getResult(0);
  SmallVector<OpFoldResult> sizes;
  auto type = cast<RankedTensorType>(initial.getType());
  for (auto [axis, size] : llvm::enumerate(tensor::getMixedSizes(rewriter, op.getLoc(), initial))) {
    bool isSplit = windows[axis] != 1;
    sizes.push_back(isSplit ? rewriter.getIndexAttr(type.getDimSize(axis) / windows[axis]) : size);
    if (isSplit)
      sizes.push_back(rewriter.getIndexAttr(windows[axis]));
  }
  return tensor::EmptyOp::create(rewriter, op.getLoc(), sizes, type.getElementType());
}

GenericOp Splitter::run(Value before, Value split) {
  rewriter.setInsertionPoint(op);
  numberLoops();
  SmallVector<Value> inputs;
  SmallVector<AffineMap> maps;
  for (OpOperand *input : op.getDpsInputOperands()) {
    bool isSplit = input->get() == before;
    inputs.push_back(isSplit ? split : input->get());
    AffineMap map = op.getMatchingIndexingMap(input);
    maps.push_back(isSplit ? splitResults(map) : splitMap(map));
  }
  Value initial = splitInitial(op.getDpsInits().front());
  maps.push_back(splitResults(op.getMatchingIndexingMap(op.getDpsInitOperand(0))));
  auto copy =
      GenericOp::create(rewriter, op.getLoc(), initial.getType(), inputs, initial, maps, kinds);
  rewriter.cloneRegionBefore(op.getRegion(), copy.getRegion(), copy.getRegion().begin());
  return copy;
}

/// Has the pooling read the split image.
static void readSplit(Pooling &pooling, Value image, RewriterBase &rewriter) {
  GenericOp op = pooling.op;
  AffineMap map = op.getMatchingIndexingMap(pooling.image);
  SmallVector<AffineExpr> indices;
  for (AffineExpr index : map.getResults())
    if (std::optional<WindowIndex> window = windowIndex(index)) {
      indices.push_back(rewriter.getAffineDimExpr(window->outer));
      indices.push_back(rewriter.getAffineDimExpr(window->inner));
    } else {
      indices.push_back(index);
    }
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  maps[pooling.image->getOperandNumber()] =
      AffineMap::get(map.getNumDims(), 0, indices, rewriter.getContext());
  rewriter.modifyOpInPlace(op, [&] {
    pooling.image->set(image);
    op.setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps));
  });
}

static void split(Pooling &pooling, RewriterBase &rewriter) {
  Value before, now;
  for (GenericOp producer : pooling.producers) {
    GenericOp copy = Splitter(producer, pooling.windows, rewriter).run(before, now);
    before = producer->getResult(0);
    now = copy->getResult(0);
  }
  readSplit(pooling, now, rewriter);
  for (GenericOp producer : llvm::reverse(pooling.producers))
    rewriter.eraseOp(producer);
}

namespace {
struct SplitWindows : impl::SplitWindowsBase<SplitWindows> {
  void runOnOperation() override {
    SmallVector<Pooling> poolings;
    getOperation().walk([&](GenericOp op) {
      if (std::optional<Pooling> pooling = poolingOf(op))
        poolings.push_back(*pooling);
    });
    // No two have a producer in common: each has one reader.
    IRRewriter rewriter(&getContext());
    for (Pooling &pooling : poolings)
      split(pooling, rewriter);
  }
};
} // namespace

} // namespace formwork
