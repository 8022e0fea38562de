// Max pooling. Its gradient goes to the first maximum of each window in row-major order, as in
// TensorFlow: an op finds it, and a linear op puts the cotangents there.
#include "ir/Slicing.h"
#include "ir/Window.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace formwork {

static constexpr double infinity = std::numeric_limits<double>::infinity();

template <typename Op> static Windows windowsOf(Op op) {
  return windowsOf(op.getWindow(), op.getStrides(), op.getPadding());
}

//===--- types -----------------------------------------------------------------------------------

/// The shape of one element per window. `adaptor` has the windows' attributes.
template <typename Adaptor>
static FailureOr<SmallVector<int64_t>> pooledShape(std::optional<Location> location,
                                                   Adaptor &adaptor, Value image) {
  auto x = cast<RankedTensorType>(image.getType());
  if (failed(verifyWindows(location, x, adaptor.getWindow(), adaptor.getStrides(),
                           adaptor.getPadding())))
    return failure();
  auto [rows, columns] = windowsOf(adaptor.getWindow(), adaptor.getStrides(), adaptor.getPadding());
  return SmallVector<int64_t>{x.getDimSize(0), rows.positions(x.getDimSize(1)),
                              columns.positions(x.getDimSize(2)), x.getDimSize(3)};
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

LogicalResult MaxPool2dOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                            Adaptor adaptor, SmallVectorImpl<Type> &types) {
  Type element = getElementTypeOrSelf(adaptor.getX().getType());
  return inferPooled(location, adaptor, adaptor.getX(), {}, element, types);
}

LogicalResult MaxPool2dIndicesOp::inferReturnTypes(MLIRContext *context,
                                                   std::optional<Location> location,
                                                   Adaptor adaptor, SmallVectorImpl<Type> &types) {
  return inferPooled(location, adaptor, adaptor.getX(), adaptor.getY(),
                     IntegerType::get(context, 32), types);
}

LogicalResult Pool2dTakeOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                             Adaptor adaptor, SmallVectorImpl<Type> &types) {
  Type element = getElementTypeOrSelf(adaptor.getX().getType());
  return inferPooled(location, adaptor, adaptor.getX(), adaptor.getIndices(), element, types);
}

LogicalResult Pool2dPutOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                            Adaptor adaptor, SmallVectorImpl<Type> &types) {
  SmallVector<Type> pooled;
  types.push_back(adaptor.getLike().getType());
  return inferPooled(location, adaptor, adaptor.getLike(), {adaptor.getY(), adaptor.getIndices()},
                     getElementTypeOrSelf(types.back()), pooled);
}

//===--- over windows ----------------------------------------------------------------------------

/// Sizes of one element per window of `image`.
static Sizes pooledSizes(ImplicitLocOpBuilder &builder, Value image, const Windows &windows) {
  Sizes sizes = sizesOf(builder, image);
  sizes[1] = windows[0].positions(builder, sizes[1]);
  sizes[2] = windows[1].positions(builder, sizes[2]);
  return sizes;
}

/// A tensor of which only the shape is used: it bounds the loops over a window.
static Value windowShape(ImplicitLocOpBuilder &builder, const Windows &windows) {
  SmallVector<int64_t> shape = {windows[0].size, windows[1].size};
  return tensor::EmptyOp::create(builder, shape, builder.getF32Type());
}

/// Loops n, p, q, c over window positions and i, j within the window.
struct PoolingLoops {
  AffineExpr n, p, q, c, i, j;
  static constexpr int64_t count = 6;
  PoolingLoops(MLIRContext *context) { bindDims(context, n, p, q, c, i, j); }
  SmallVector<AffineExpr> position() const { return {n, p, q, c}; }
};

/// In a generic's body: the number of the place (i, j), in row-major order.
static Expr placeInWindow(ImplicitLocOpBuilder &scalars, const Windows &windows) {
  Type integer = scalars.getI32Type();
  return loopIndex(scalars, 4, integer) * windows[1].size + loopIndex(scalars, 5, integer);
}

/// Reduces each window of `x`, padded with `outside`, into `initial`. The body sees the element of
/// x, those of `pooled`, one unused, and the result so far.
static Value reduceWindows(ImplicitLocOpBuilder &builder, Value x, double outside,
                           ValueRange pooled, Value initial, const Windows &windows,
                           ScalarBody body) {
  PoolingLoops l(builder.getContext());
  SmallVector<Indexed> inputs = {
      {padded(builder, x, windows, outside),
       {l.n, l.p * windows[0].stride + l.i, l.q * windows[1].stride + l.j, l.c}}};
  for (Value value : pooled)
    inputs.push_back({value, l.position()});
  inputs.push_back({windowShape(builder, windows), {l.i, l.j}});
  return generic(builder, l.count, inputs, {initial, l.position()}, body);
}

//===--- max_pool2d ------------------------------------------------------------------------------

MaybeValues MaxPool2dOp::decompose(ImplicitLocOpBuilder &builder) {
  Windows windows = windowsOf(*this);
  Value lowest = filled(builder, emptyOf(builder, getType(), pooledSizes(builder, getX(), windows)),
                        -infinity);
  auto body = [](ArrayRef<Expr> elements) { return max(elements.back(), elements[0]); };
  return SmallVector<Value>{reduceWindows(builder, getX(), -infinity, {}, lowest, windows, body)};
}

MaybeValues MaxPool2dOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  Value indices =
      MaxPool2dIndicesOp::create(builder, getX(), getY(), getWindow(), getStrides(), getPadding());
  return SmallVector<Value>{Pool2dPutOp::create(builder, cotangents[0], indices, getX(),
                                                getWindow(), getStrides(), getPadding())};
}

//===--- max_pool2d_indices ----------------------------------------------------------------------

MaybeValues MaxPool2dIndicesOp::decompose(ImplicitLocOpBuilder &builder) {
  Windows windows = windowsOf(*this);
  Value empty = emptyOf(builder, getType(), pooledSizes(builder, getX(), windows));
  int64_t nowhere = windows[0].size * windows[1].size;
  Value initial = filled(builder, empty, nowhere);
  auto body = [&](ArrayRef<Expr> elements) {
    Expr place = placeInWindow(elements[0].build(), windows);
    Expr found = select(equal(elements[0], elements[1]), place, nowhere);
    return min(elements.back(), found);
  };
  return SmallVector<Value>{
      reduceWindows(builder, getX(), -infinity, getY(), initial, windows, body)};
}

//===--- pool2d_take -----------------------------------------------------------------------------

MaybeValues Pool2dTakeOp::decompose(ImplicitLocOpBuilder &builder) {
  Windows windows = windowsOf(*this);
  Value zeros =
      filled(builder, emptyOf(builder, getType(), pooledSizes(builder, getX(), windows)), 0);
  auto body = [&](ArrayRef<Expr> elements) {
    Expr place = placeInWindow(elements[0].build(), windows);
    return select(equal(elements[1], place), elements[0], elements.back());
  };
  return SmallVector<Value>{reduceWindows(builder, getX(), 0, getIndices(), zeros, windows, body)};
}

MaybeValues Pool2dTakeOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  return SmallVector<Value>{Pool2dPutOp::create(builder, cotangents[0], getIndices(), getX(),
                                                getWindow(), getStrides(), getPadding()),
                            Value()};
}

//===--- pool2d_put ------------------------------------------------------------------------------

/// Windows that lie side by side and cover the image, all of it known.
static bool tilesExactly(Pool2dPutOp op, const Windows &windows) {
  ArrayRef<int64_t> lengths = op.getType().getShape().slice(1, 2);
  return llvm::all_of(llvm::zip(windows, lengths), [](auto pair) {
    auto [window, length] = pair;
    return window.low == 0 && window.high == 0 && window.size == window.stride &&
           !ShapedType::isDynamic(length) && length % window.size == 0;
  });
}

/// x[n, p * height + i, q * width + j, c] is y[n, p, q, c] at one place and 0 at the others.
static Value putIntoTiles(Pool2dPutOp op, ImplicitLocOpBuilder &builder, const Windows &windows) {
  AffineExpr n, p, i, q, j, c;
  bindDims(builder.getContext(), n, p, i, q, j, c);
  RankedTensorType type = op.getType();
  Sizes sizes = pooledSizes(builder, op.getLike(), windows);
  sizes.insert(sizes.begin() + 2, builder.getIndexAttr(windows[0].size));
  sizes.insert(sizes.begin() + 4, builder.getIndexAttr(windows[1].size));
  SmallVector<int64_t> shape = llvm::map_to_vector(sizes, [](OpFoldResult size) {
    return getConstantIntValue(size).value_or(ShapedType::kDynamic);
  });
  auto body = [&](ArrayRef<Expr> elements) {
    ImplicitLocOpBuilder &scalars = elements[0].build();
    Type integer = scalars.getI32Type();
    Expr place = loopIndex(scalars, 2, integer) * windows[1].size + loopIndex(scalars, 4, integer);
    return select(equal(elements[1], place), elements[0], 0);
  };
  Value tiles = generic(builder, 6, {{op.getY(), {n, p, q, c}}, {op.getIndices(), {n, p, q, c}}},
                        {emptyOf(builder, type.clone(shape), sizes), {n, p, i, q, j, c}}, body);
  SmallVector<ReassociationIndices> groups = {{0}, {1, 2}, {3, 4}, {5}};
  return tensor::CollapseShapeOp::create(builder, type, tiles, groups);
}

// In general: each element of x looks at the windows that cover it, which are neighbours in y once
// that is spread to x's positions. Windows that are not there have no index.
MaybeValues Pool2dPutOp::decompose(ImplicitLocOpBuilder &builder) {
  Windows windows = windowsOf(*this);
  if (tilesExactly(*this, windows))
    return SmallVector<Value>{putIntoTiles(*this, builder, windows)};
  PoolingLoops l(builder.getContext());
  SmallVector<AffineExpr> covering = {l.n, l.p + (windows[0].size - 1) - l.i,
                                      l.q + (windows[1].size - 1) - l.j, l.c};
  Value zeros = filled(builder, emptyOf(builder, getType(), sizesOf(builder, getLike())), 0);
  auto body = [&](ArrayRef<Expr> elements) {
    Expr place = placeInWindow(elements[0].build(), windows);
    return elements.back() + select(equal(elements[1], place), elements[0], 0);
  };
  SmallVector<Indexed> inputs = {{spread(builder, getY(), getLike(), windows, 0), covering},
                                 {spread(builder, getIndices(), getLike(), windows, -1), covering},
                                 {windowShape(builder, windows), {l.i, l.j}}};
  return SmallVector<Value>{generic(builder, l.count, inputs, {zeros, l.position()}, body)};
}

MaybeValues Pool2dPutOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  Value dy = Pool2dTakeOp::create(builder, cotangents[0], getIndices(), getWindow(), getStrides(),
                                  getPadding());
  return SmallVector<Value>{sumToShapeOf(builder, dy, getY()), Value(), Value()};
}

} // namespace formwork
