// Poolings of images [n, spatial dimensions..., channels]. The gradient of a maximum goes to the
// first of each window in row-major order, as in TensorFlow: an op finds it, and a linear op puts
// the cotangents there. Sums, of which averages are made, are linear themselves.
#include "ir/Backpropagation.h"
#include "ir/Padding.h"
#include "ir/Slicing.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace formwork {

static constexpr double infinity = std::numeric_limits<double>::infinity();

template <typename Op> static Windows windowsOf(Op op) {
  return windowsOf(op.getWindow(), op.getStrides(), op.getPadding());
}

Windows MaxPoolOp::slidingWindows() { return windowsOf(*this); }
Windows PoolSumOp::slidingWindows() { return windowsOf(*this); }

//===--- types -----------------------------------------------------------------------------------

/// The shape of one element per window. `adaptor` has the windows' attributes.
template <typename Adaptor>
static FailureOr<SmallVector<int64_t>> pooledShape(std::optional<Location> location,
                                                   Adaptor &adaptor, Value image) {
  auto x = cast<RankedTensorType>(image.getType());
  if (failed(verifyWindows(location, x, adaptor.getWindow(), adaptor.getStrides(),
                           adaptor.getPadding())))
    return failure();
  return positions(x, windowsOf(adaptor), x.getShape().back());
}

/// Infers one element per window of `image`; each of `pooled` is such a tensor.
template <typename Adaptor>
static LogicalResult inferPooled(std::optional<Location> location, Adaptor &adaptor, Value image,
                                 ValueRange pooled, Type element, SmallVectorImpl<Type> &types) {
  FailureOr<SmallVector<int64_t>> shape = pooledShape(location, adaptor, image);
  if (failed(shape))
    return failure();
  types.push_back(RankedTensorType::get(*shape, element));
  for (Value value : pooled)
    if (failed(verifyCompatibleShape(cast<RankedTensorType>(value.getType()).getShape(), *shape)))
      return emitOptionalError(location, "windows over ", image.getType(), " give ", types.back(),
                               ", not ", value.getType());
  return success();
}

LogicalResult MaxPoolOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                          Adaptor adaptor, SmallVectorImpl<Type> &types) {
  Type element = getElementTypeOrSelf(adaptor.getX().getType());
  return inferPooled(location, adaptor, adaptor.getX(), {}, element, types);
}

LogicalResult MaxPoolIndicesOp::inferReturnTypes(MLIRContext *context,
                                                 std::optional<Location> location, Adaptor adaptor,
                                                 SmallVectorImpl<Type> &types) {
  return inferPooled(location, adaptor, adaptor.getX(), adaptor.getY(),
                     IntegerType::get(context, 32), types);
}

LogicalResult PoolTakeOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                           Adaptor adaptor, SmallVectorImpl<Type> &types) {
  Type element = getElementTypeOrSelf(adaptor.getX().getType());
  return inferPooled(location, adaptor, adaptor.getX(), adaptor.getIndices(), element, types);
}

LogicalResult PoolPutOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                          Adaptor adaptor, SmallVectorImpl<Type> &types) {
  SmallVector<Type> pooled;
  types.push_back(adaptor.getLike().getType());
  return inferPooled(location, adaptor, adaptor.getLike(), {adaptor.getY(), adaptor.getIndices()},
                     getElementTypeOrSelf(types.back()), pooled);
}

LogicalResult PoolSumOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                          Adaptor adaptor, SmallVectorImpl<Type> &types) {
  Type element = getElementTypeOrSelf(adaptor.getX().getType());
  return inferPooled(location, adaptor, adaptor.getX(), {}, element, types);
}

LogicalResult PoolSpreadOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                             Adaptor adaptor, SmallVectorImpl<Type> &types) {
  SmallVector<Type> pooled;
  types.push_back(adaptor.getLike().getType());
  return inferPooled(location, adaptor, adaptor.getLike(), adaptor.getY(),
                     getElementTypeOrSelf(types.back()), pooled);
}

//===--- over windows ----------------------------------------------------------------------------

/// A tensor of which only the shape is used: it bounds the loops over a window.
static Value windowShape(ImplicitLocOpBuilder &builder, const Windows &windows) {
  auto shape = llvm::map_to_vector(windows, [](const Window &window) { return window.size; });
  return tensor::EmptyOp::create(builder, shape, builder.getF32Type());
}

namespace {
/// Loops n, p... over positions and channels c, then i... within the window.
struct PoolingLoops {
  AffineExpr n, c;
  SmallVector<AffineExpr> p, i;
  int64_t count = 0;

  PoolingLoops(Builder &builder, const Windows &windows) {
    n = builder.getAffineDimExpr(count++);
    for (size_t dimension = 0; dimension < windows.size(); ++dimension)
      p.push_back(builder.getAffineDimExpr(count++));
    c = builder.getAffineDimExpr(count++);
    for (size_t dimension = 0; dimension < windows.size(); ++dimension)
      i.push_back(builder.getAffineDimExpr(count++));
  }
  SmallVector<AffineExpr> image(ArrayRef<AffineExpr> places) const {
    SmallVector<AffineExpr> indices = {n};
    indices.append(places.begin(), places.end());
    indices.push_back(c);
    return indices;
  }
};
} // namespace

/// In a generic's body: the number of the place i... in the window, in row-major order.
static Expr placeInWindow(ImplicitLocOpBuilder &scalars, const Windows &windows) {
  Type integer = scalars.getI32Type();
  int64_t first = windows.size() + 2;
  Expr place = loopIndex(scalars, first, integer);
  for (size_t dimension = 1; dimension < windows.size(); ++dimension)
    place = place * windows[dimension].size + loopIndex(scalars, first + dimension, integer);
  return place;
}

/// Reduces each window of `x`, padded with `outside`, into `initial`. The body sees the element of
/// x, those of `pooled`, one unused, and the result so far.
static Value reduceWindows(ImplicitLocOpBuilder &builder, Value x, double outside,
                           ValueRange pooled, Value initial, const Windows &windows,
                           ScalarBody body) {
  PoolingLoops loops(builder, windows);
  SmallVector<AffineExpr> read;
  for (auto [p, i, window] : llvm::zip_equal(loops.p, loops.i, windows))
    read.push_back(p * window.stride + i);
  SmallVector<Indexed> inputs = {{padded(builder, x, windows, outside), loops.image(read)}};
  for (Value value : pooled)
    inputs.push_back({value, loops.image(loops.p)});
  inputs.push_back({windowShape(builder, windows), loops.i});
  return generic(builder, loops.count, inputs, {initial, loops.image(loops.p)}, body);
}

//===--- max_pool ------------------------------------------------------------------------------

MaybeValues MaxPoolOp::decompose(ImplicitLocOpBuilder &builder) {
  Windows windows = windowsOf(*this);
  Value lowest =
      filled(builder, emptyOf(builder, getType(), positions(builder, getX(), windows)), -infinity);
  auto body = [](ArrayRef<Expr> elements) { return max(elements.back(), elements[0]); };
  return SmallVector<Value>{reduceWindows(builder, getX(), -infinity, {}, lowest, windows, body)};
}

MaybeValues MaxPoolOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  Value indices =
      MaxPoolIndicesOp::create(builder, getX(), getY(), getWindow(), getStrides(), getPadding());
  return SmallVector<Value>{PoolPutOp::create(builder, cotangents[0], indices, getX(), getWindow(),
                                              getStrides(), getPadding())};
}

//===--- max_pool_indices ----------------------------------------------------------------------

MaybeValues MaxPoolIndicesOp::decompose(ImplicitLocOpBuilder &builder) {
  Windows windows = windowsOf(*this);
  Value empty = emptyOf(builder, getType(), positions(builder, getX(), windows));
  int64_t nowhere = llvm::product_of(getWindow());
  Value initial = filled(builder, empty, nowhere);
  auto body = [&](ArrayRef<Expr> elements) {
    Expr place = placeInWindow(elements[0].build(), windows);
    Expr found = select(equal(elements[0], elements[1]), place, nowhere);
    return min(elements.back(), found);
  };
  return SmallVector<Value>{
      reduceWindows(builder, getX(), -infinity, getY(), initial, windows, body)};
}

//===--- pool_take -----------------------------------------------------------------------------

MaybeValues PoolTakeOp::decompose(ImplicitLocOpBuilder &builder) {
  Windows windows = windowsOf(*this);
  Value zeros =
      filled(builder, emptyOf(builder, getType(), positions(builder, getX(), windows)), 0);
  auto body = [&](ArrayRef<Expr> elements) {
    Expr place = placeInWindow(elements[0].build(), windows);
    return select(equal(elements[1], place), elements[0], elements.back());
  };
  return SmallVector<Value>{reduceWindows(builder, getX(), 0, getIndices(), zeros, windows, body)};
}

MaybeValues PoolTakeOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  return SmallVector<Value>{PoolPutOp::create(builder, cotangents[0], getIndices(), getX(),
                                              getWindow(), getStrides(), getPadding()),
                            Value()};
}

//===--- pool_put ------------------------------------------------------------------------------

/// No element is in two windows, and it is known in which.
static bool liesApart(RankedTensorType image, const Windows &windows) {
  return llvm::all_of(llvm::enumerate(windows), [&](auto pair) {
    const Window &window = pair.value();
    return window.low == 0 && window.size == window.stride && !image.isDynamicDim(pair.index() + 1);
  });
}

/// What the windows leave over at the end, as the padding that would make windows of it.
static Windows leftOver(RankedTensorType image, Windows windows) {
  for (auto [i, window] : llvm::enumerate(windows)) {
    int64_t length = image.getDimSize(i + 1), needed = llvm::divideCeil(length, window.stride);
    window.high = std::max<int64_t>(needed - window.positions(length), 0);
  }
  return windows;
}

/// Each element of an image looks at its window: x[n, h, c] is y[n, h / size, c], or what `body`
/// makes of it. `pooled` are y and others like it, with what they are where there is no window.
static Value lookUpWindows(ImplicitLocOpBuilder &builder, Value like, const Windows &windows,
                           ArrayRef<std::pair<Value, double>> pooled, ScalarBody body) {
  auto type = cast<RankedTensorType>(like.getType());
  PoolingLoops loops(builder, windows);
  SmallVector<AffineExpr> at;
  for (auto [p, window] : llvm::zip_equal(loops.p, windows))
    at.push_back(p.floorDiv(window.size));
  SmallVector<Indexed> inputs;
  for (auto [value, nowhere] : pooled)
    inputs.push_back({padded(builder, value, leftOver(type, windows), nowhere), loops.image(at)});
  auto element = cast<RankedTensorType>(pooled.front().first.getType()).getElementType();
  Value empty = emptyOf(builder, type.clone(element), sizesOf(builder, like));
  return generic(builder, type.getRank(), inputs, {empty, loops.image(loops.p)}, body);
}

/// In general: each element of an image sums over the windows that cover it, which are neighbours
/// in y once that is spread to the image's positions.
static Value sumOverWindows(ImplicitLocOpBuilder &builder, Value like, const Windows &windows,
                            ArrayRef<std::pair<Value, double>> pooled, ScalarBody body) {
  auto type = cast<RankedTensorType>(like.getType());
  PoolingLoops loops(builder, windows);
  SmallVector<AffineExpr> covering;
  for (auto [p, i, window] : llvm::zip_equal(loops.p, loops.i, windows))
    covering.push_back(p + (window.size - 1) - i);
  SmallVector<Indexed> inputs;
  for (auto [value, nowhere] : pooled)
    inputs.push_back({spread(builder, value, like, windows, nowhere), loops.image(covering)});
  inputs.push_back({windowShape(builder, windows), loops.i});
  Value zeros = filled(builder, emptyOf(builder, type, sizesOf(builder, like)), 0);
  return generic(builder, loops.count, inputs, {zeros, loops.image(loops.p)}, body);
}

// Windows that are not there have no index.
MaybeValues PoolPutOp::decompose(ImplicitLocOpBuilder &builder) {
  Windows windows = windowsOf(*this);
  std::pair<Value, double> pooled[] = {{getY(), 0}, {getIndices(), -1}};
  auto within = [&](ImplicitLocOpBuilder &scalars, unsigned dimension) {
    Expr index = loopIndex(scalars, dimension + 1, scalars.getI32Type());
    double size = windows[dimension].size;
    return index - index / size * size;
  };
  auto fromOne = [&](ArrayRef<Expr> elements) {
    ImplicitLocOpBuilder &scalars = elements[0].build();
    Expr place = within(scalars, 0);
    for (size_t dimension = 1; dimension < windows.size(); ++dimension)
      place = place * double(windows[dimension].size) + within(scalars, dimension);
    return select(equal(elements[1], place), elements[0], 0);
  };
  auto fromMany = [&](ArrayRef<Expr> elements) {
    Expr place = placeInWindow(elements[0].build(), windows);
    return elements.back() + select(equal(elements[1], place), elements[0], 0);
  };
  return SmallVector<Value>{liesApart(getType(), windows)
                                ? lookUpWindows(builder, getLike(), windows, pooled, fromOne)
                                : sumOverWindows(builder, getLike(), windows, pooled, fromMany)};
}

MaybeValues PoolPutOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  Value dy = PoolTakeOp::create(builder, cotangents[0], getIndices(), getWindow(), getStrides(),
                                getPadding());
  return SmallVector<Value>{sumToShapeOf(builder, dy, getY()), Value(), Value()};
}

namespace {
/// Where a maximum was taken, x is that maximum: a mask by whether x is greater than something can
/// look at the maxima. Relu before a pooling then needs no x on the way back, only what is pooled.
struct MaskMaxima : OpRewritePattern<SelectOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SelectOp select, PatternRewriter &rewriter) const override {
    auto put = select.getA().getDefiningOp<PoolPutOp>();
    auto mask = select.getC().getDefiningOp<GreaterOp>();
    auto maxima = put ? put.getIndices().getDefiningOp<MaxPoolIndicesOp>() : MaxPoolIndicesOp();
    if (!maxima || !mask || !put->hasOneUse() || mask.getA() != maxima.getX() ||
        !isScalar(mask.getB()) || !isScalar(select.getB()) || !isZeroLike(select.getB()) ||
        !isSameWindows(put, maxima))
      return failure();
    Location location = select.getLoc();
    Value isGreater = GreaterOp::create(rewriter, location, maxima.getY(), mask.getB());
    Value masked = SelectOp::create(rewriter, location, isGreater, put.getY(), select.getB());
    rewriter.replaceOpWithNewOp<PoolPutOp>(select, masked, put.getIndices(), put.getLike(),
                                           put.getWindow(), put.getStrides(), put.getPadding());
    return success();
  }

private:
  static bool isScalar(Value value) {
    return cast<RankedTensorType>(value.getType()).getRank() == 0;
  }
  static bool isSameWindows(PoolPutOp put, MaxPoolIndicesOp maxima) {
    return put.getWindow() == maxima.getWindow() && put.getStrides() == maxima.getStrides() &&
           put.getPadding() == maxima.getPadding();
  }
};
} // namespace

void PoolPutOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<MaskMaxima>(context);
}

//===--- pool_sum and pool_spread ----------------------------------------------------------------

MaybeValues PoolSumOp::decompose(ImplicitLocOpBuilder &builder) {
  Windows windows = windowsOf(*this);
  Value zeros =
      filled(builder, emptyOf(builder, getType(), positions(builder, getX(), windows)), 0);
  auto body = [](ArrayRef<Expr> elements) { return elements.back() + elements[0]; };
  return SmallVector<Value>{reduceWindows(builder, getX(), 0, {}, zeros, windows, body)};
}

MaybeValues PoolSumOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  return SmallVector<Value>{PoolSpreadOp::create(builder, cotangents[0], getX(), getWindow(),
                                                 getStrides(), getPadding())};
}

MaybeValues PoolSpreadOp::decompose(ImplicitLocOpBuilder &builder) {
  Windows windows = windowsOf(*this);
  std::pair<Value, double> pooled[] = {{getY(), 0}};
  auto fromOne = [](ArrayRef<Expr> elements) { return elements[0]; };
  auto fromMany = [](ArrayRef<Expr> elements) { return elements.back() + elements[0]; };
  return SmallVector<Value>{liesApart(getType(), windows)
                                ? lookUpWindows(builder, getLike(), windows, pooled, fromOne)
                                : sumOverWindows(builder, getLike(), windows, pooled, fromMany)};
}

MaybeValues PoolSpreadOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  Value dy = PoolSumOp::create(builder, cotangents[0], getWindow(), getStrides(), getPadding());
  return SmallVector<Value>{sumToShapeOf(builder, dy, getY()), Value()};
}

} // namespace formwork
