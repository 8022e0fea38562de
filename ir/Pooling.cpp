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

/// No element is in two windows, and it is known in which.
static bool liesApart(Pool2dPutOp op, const Windows &windows) {
  ArrayRef<int64_t> lengths = op.getType().getShape().slice(1, 2);
  return llvm::all_of(llvm::zip(windows, lengths), [](auto pair) {
    auto [window, length] = pair;
    return window.low == 0 && window.size == window.stride && !ShapedType::isDynamic(length);
  });
}

/// What the windows leave over at the end, as the padding that would make windows of it.
static Windows leftOver(Pool2dPutOp op, Windows windows) {
  ArrayRef<int64_t> lengths = op.getType().getShape().slice(1, 2);
  for (auto [window, length] : llvm::zip(windows, lengths)) {
    int64_t needed = llvm::divideCeil(length, window.stride);
    window.high = std::max<int64_t>(needed - window.positions(length), 0);
  }
  return windows;
}

/// Each element looks at its window: x[n, h, w, c] is y[n, h / height, w / width, c] or 0.
static Value putApart(Pool2dPutOp op, ImplicitLocOpBuilder &builder, const Windows &windows) {
  AffineExpr n, h, w, c;
  bindDims(builder.getContext(), n, h, w, c);
  SmallVector<AffineExpr> window = {n, h.floorDiv(windows[0].size), w.floorDiv(windows[1].size), c};
  auto within = [&](ImplicitLocOpBuilder &scalars, unsigned loop, const Window &window) {
    Expr index = loopIndex(scalars, loop, scalars.getI32Type());
    return index - index / double(window.size) * double(window.size);
  };
  auto body = [&](ArrayRef<Expr> elements) {
    ImplicitLocOpBuilder &scalars = elements[0].build();
    Expr place = within(scalars, 1, windows[0]) * double(windows[1].size) +
                 within(scalars, 2, windows[1]);
    return select(equal(elements[1], place), elements[0], 0);
  };
  Windows border = leftOver(op, windows);
  Value y = padded(builder, op.getY(), border, 0);
  Value indices = padded(builder, op.getIndices(), border, -1);
  return generic(builder, 4, {{y, window}, {indices, window}},
                 {emptyOf(builder, op.getType(), sizesOf(builder, op.getLike())), {n, h, w, c}},
                 body);
}

// In general: each element of x looks at the windows that cover it, which are neighbours in y once
// that is spread to x's positions. Windows that are not there have no index.
MaybeValues Pool2dPutOp::decompose(ImplicitLocOpBuilder &builder) {
  Windows windows = windowsOf(*this);
  if (liesApart(*this, windows))
    return SmallVector<Value>{putApart(*this, builder, windows)};
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
