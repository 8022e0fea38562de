// pad and slice, each the adjoint of the other; concat and split_like likewise.
#include "ir/Slicing.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace formwork {

Value embed(ImplicitLocOpBuilder &builder, Value x, Value into, ArrayRef<int64_t> low,
            ArrayRef<int64_t> strides) {
  auto leavesNothing = [](auto pair) { return std::get<0>(pair) == std::get<1>(pair); };
  ArrayRef<int64_t> room = cast<RankedTensorType>(into.getType()).getShape();
  if (isEmpty(x.getType()) || llvm::any_of(llvm::zip_equal(low, room), leavesNothing))
    return into;
  MLIRContext *context = builder.getContext();
  return tensor::InsertSliceOp::create(builder, x, into, getAsIndexOpFoldResult(context, low),
                                       sizesOf(builder, x),
                                       getAsIndexOpFoldResult(context, strides));
}

static LogicalResult verifyRanks(std::optional<Location> location, RankedTensorType x,
                                 ArrayRef<ArrayRef<int64_t>> lists) {
  for (ArrayRef<int64_t> list : lists)
    if (int64_t(list.size()) != x.getRank())
      return emitOptionalError(location, "[", list, "] does not give one number per dimension of ",
                               x);
  return success();
}

//===--- pad -------------------------------------------------------------------------------------

/// How many elements `size` of them are with `interior` between each two.
static int64_t spreadSize(int64_t size, int64_t interior) {
  return size == 0 ? 0 : size + (size - 1) * interior;
}

LogicalResult PadOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                      Adaptor adaptor, SmallVectorImpl<Type> &types) {
  auto x = cast<RankedTensorType>(adaptor.getX().getType());
  ArrayRef<int64_t> low = adaptor.getLow(), high = adaptor.getHigh(),
                    interior = adaptor.getInterior();
  if (failed(verifyRanks(location, x, {low, high, interior})))
    return failure();
  for (int64_t amount : llvm::concat<const int64_t>(low, high, interior))
    if (amount < 0)
      return emitOptionalError(location, "pads by ", amount, " elements");
  SmallVector<int64_t> shape(x.getShape());
  for (auto [i, size] : llvm::enumerate(shape))
    if (!ShapedType::isDynamic(size))
      size = low[i] + spreadSize(size, interior[i]) + high[i];
  if (Value like = adaptor.getLike()) {
    auto example = cast<RankedTensorType>(like.getType());
    if (example.getRank() != x.getRank())
      return emitOptionalError(location, x, " has not the rank of ", example);
    for (int64_t i = 0; i < x.getRank(); ++i)
      if (!ShapedType::isDynamic(shape[i]) && !example.isDynamicDim(i) &&
          shape[i] > example.getDimSize(i))
        return emitOptionalError(location, x, " with its padding does not fit into ", example);
    shape.assign(example.getShape().begin(), example.getShape().end());
  }
  types.push_back(x.clone(shape));
  return success();
}

static bool allZero(ArrayRef<int64_t> amounts) {
  return llvm::all_of(amounts, [](int64_t amount) { return amount == 0; });
}

OpFoldResult PadOp::fold(FoldAdaptor) {
  bool nothing = allZero(getLow()) && allZero(getHigh()) && allZero(getInterior());
  bool sameShape = !getLike() || (getX().getType() == getType() && getType().hasStaticShape());
  return nothing && sameShape ? getX() : Value();
}

/// The size of the result's dimension `i`, where no example gives it.
static OpFoldResult paddedSize(PadOp op, ImplicitLocOpBuilder &builder, int64_t i) {
  OpFoldResult size = sizeOf(builder, op.getX(), i);
  int64_t ends = op.getLow()[i] + op.getHigh()[i], interior = op.getInterior()[i];
  if (interior == 0)
    return scaled(builder, size, 1, ends);
  if (std::optional<int64_t> known = getConstantIntValue(size))
    return builder.getIndexAttr(ends + spreadSize(*known, interior));
  // Nothing lies between the elements of an empty tensor.
  OpFoldResult spread = scaled(builder, size, interior + 1, -interior);
  Value zero = arith::ConstantIndexOp::create(builder, 0);
  Value atLeastZero = arith::MaxSIOp::create(builder, asValue(builder, spread), zero);
  return scaled(builder, atLeastZero, 1, ends);
}

MaybeValues PadOp::decompose(ImplicitLocOpBuilder &builder) {
  Sizes sizes;
  if (getLike())
    sizes = sizesOf(builder, getLike());
  else
    for (int64_t i = 0; i < getType().getRank(); ++i)
      sizes.push_back(paddedSize(*this, builder, i));
  Value background =
      filled(builder, emptyOf(builder, getType(), sizes), getValue().convertToDouble());
  auto strides = llvm::map_to_vector(getInterior(), [](int64_t between) { return between + 1; });
  return SmallVector<Value>{embed(builder, getX(), background, getLow(), strides)};
}

MaybeValues PadOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  SmallVector<int64_t> limit, strides;
  for (auto [low, high, between, size] :
       llvm::zip_equal(getLow(), getHigh(), getInterior(), getX().getType().getShape())) {
    limit.push_back(ShapedType::isDynamic(size) ? -1 - high : low + spreadSize(size, between));
    strides.push_back(between + 1);
  }
  Value dx = SliceOp::create(builder, cotangents[0], getLow(), limit, strides);
  SmallVector<Value> gradients = {sumToShapeOf(builder, dx, getX())};
  if (getLike())
    gradients.push_back({});
  return gradients;
}

//===--- slice -----------------------------------------------------------------------------------

/// The limit as a position; of a `?` dimension, if it counts from the end, how many are left out,
/// as a negative number or zero.
static int64_t resolvedLimit(int64_t size, int64_t limit) {
  if (limit >= 0)
    return limit;
  return ShapedType::isDynamic(size) ? limit + 1 : size + limit + 1;
}

/// How many elements a slice takes.
static int64_t slicedSize(int64_t size, int64_t start, int64_t limit, int64_t stride) {
  if (ShapedType::isDynamic(size) && limit < 0)
    return ShapedType::kDynamic;
  return llvm::divideCeil(std::max<int64_t>(resolvedLimit(size, limit) - start, 0), stride);
}

LogicalResult SliceOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                        Adaptor adaptor, SmallVectorImpl<Type> &types) {
  auto x = cast<RankedTensorType>(adaptor.getX().getType());
  if (failed(
          verifyRanks(location, x, {adaptor.getStart(), adaptor.getLimit(), adaptor.getStrides()})))
    return failure();
  SmallVector<int64_t> shape;
  for (auto [size, start, limit, stride] : llvm::zip_equal(
           x.getShape(), adaptor.getStart(), adaptor.getLimit(), adaptor.getStrides())) {
    if (stride < 1)
      return emitOptionalError(location, "steps by ", stride, ", not forward");
    int64_t end = resolvedLimit(size, limit);
    bool known = limit >= 0 || !ShapedType::isDynamic(size);
    if (start < 0 || (known && start > end) || (!ShapedType::isDynamic(size) && end > size))
      return emitOptionalError(location, "[", start, ", ", limit, ") is not a part of ", size,
                               " elements");
    shape.push_back(slicedSize(size, start, limit, stride));
  }
  types.push_back(x.clone(shape));
  return success();
}

OpFoldResult SliceOp::fold(FoldAdaptor) {
  bool whole = allZero(getStart()) && llvm::all_of(getStrides(), [](int64_t s) { return s == 1; });
  for (auto [size, limit] : llvm::zip_equal(getX().getType().getShape(), getLimit()))
    whole &= limit == -1 || limit == size;
  return whole ? getX() : Value();
}

/// (size - start - left out) / stride, rounded up: the size of a slice of a `?` dimension.
static OpFoldResult openSize(SliceOp op, ImplicitLocOpBuilder &builder, int64_t i) {
  int64_t stride = op.getStrides()[i];
  OpFoldResult size = sizeOf(builder, op.getX(), i);
  int64_t shorter = resolvedLimit(ShapedType::kDynamic, op.getLimit()[i]) - op.getStart()[i];
  OpFoldResult span = scaled(builder, size, 1, shorter + stride - 1);
  Value zero = arith::ConstantIndexOp::create(builder, 0);
  Value safe = arith::MaxSIOp::create(builder, asValue(builder, span), zero);
  Value divisor = arith::ConstantIndexOp::create(builder, stride);
  return arith::DivUIOp::create(builder, safe, divisor).getResult();
}

MaybeValues SliceOp::decompose(ImplicitLocOpBuilder &builder) {
  Sizes sizes;
  for (auto [i, size] : llvm::enumerate(getType().getShape()))
    sizes.push_back(ShapedType::isDynamic(size) ? openSize(*this, builder, i)
                                                : OpFoldResult(builder.getIndexAttr(size)));
  if (isEmpty(getType()))
    return SmallVector<Value>{emptyOf(builder, getType(), sizes)};
  return SmallVector<Value>{tensor::ExtractSliceOp::create(
      builder, getType(), getX(), getAsIndexOpFoldResult(getContext(), getStart()), sizes,
      getAsIndexOpFoldResult(getContext(), getStrides()))};
}

MaybeValues SliceOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  SmallVector<int64_t> high, interior;
  for (auto [size, limit, stride] :
       llvm::zip_equal(getX().getType().getShape(), getLimit(), getStrides())) {
    high.push_back(ShapedType::isDynamic(size) && limit < 0 ? -1 - limit : 0);
    interior.push_back(stride - 1);
  }
  return SmallVector<Value>{
      PadOp::create(builder, cotangents[0], getX(), getStart(), high, interior, APFloat(0.0))};
}

//===--- concat ----------------------------------------------------------------------------------

LogicalResult ConcatOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                         Adaptor adaptor, SmallVectorImpl<Type> &types) {
  auto first = cast<RankedTensorType>(adaptor.getParts().front().getType());
  int64_t axis = adaptor.getAxis();
  if (axis < 0 || axis >= first.getRank())
    return emitOptionalError(location, "axis ", axis, " is not one of ", first);
  SmallVector<int64_t> shape(first.getShape());
  for (Value part : adaptor.getParts().drop_front()) {
    auto next = cast<RankedTensorType>(part.getType());
    SmallVector<int64_t> expected(shape);
    if (next.getRank() == first.getRank())
      expected[axis] = next.getDimSize(axis);
    if (failed(verifyCompatibleShape(expected, next.getShape())))
      return emitOptionalError(location, first, " and ", next, " differ beside axis ", axis);
    for (auto [i, size] : llvm::enumerate(next.getShape()))
      if (int64_t(i) == axis)
        shape[i] = ShapedType::isDynamic(size) || ShapedType::isDynamic(shape[i])
                       ? ShapedType::kDynamic
                       : shape[i] + size;
      else if (ShapedType::isDynamic(shape[i]))
        shape[i] = size;
  }
  types.push_back(first.clone(shape));
  return success();
}

OpFoldResult ConcatOp::fold(FoldAdaptor) {
  return getParts().size() == 1 ? getParts().front() : Value();
}

/// The size each dimension of the whole has, from whichever part knows it.
static Sizes wholeSizes(ImplicitLocOpBuilder &builder, ValueRange parts, int64_t axis) {
  Sizes sizes = sizesOf(builder, parts.front());
  for (Value part : parts.drop_front())
    for (auto [i, size] : llvm::enumerate(sizesOf(builder, part)))
      if (int64_t(i) == axis)
        sizes[i] = added(builder, sizes[i], size);
      else if (!isa<Attribute>(sizes[i]))
        sizes[i] = size;
  return sizes;
}

MaybeValues ConcatOp::decompose(ImplicitLocOpBuilder &builder) {
  int64_t axis = getAxis(), rank = getType().getRank();
  Value whole = emptyOf(builder, getType(), wholeSizes(builder, getParts(), axis));
  Sizes offsets(rank, builder.getIndexAttr(0)), strides(rank, builder.getIndexAttr(1));
  for (Value part : getParts()) {
    if (isEmpty(part.getType()))
      continue;
    Sizes sizes = sizesOf(builder, part);
    whole = tensor::InsertSliceOp::create(builder, part, whole, offsets, sizes, strides);
    offsets[axis] = added(builder, offsets[axis], sizes[axis]);
  }
  return SmallVector<Value>{whole};
}

MaybeValues ConcatOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  auto split = SplitLikeOp::create(builder, cotangents[0], getParts(), getAxis());
  return SmallVector<Value>(split.getParts());
}

//===--- split_like ------------------------------------------------------------------------------

LogicalResult SplitLikeOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                            Adaptor adaptor, SmallVectorImpl<Type> &types) {
  auto x = cast<RankedTensorType>(adaptor.getX().getType());
  int64_t axis = adaptor.getAxis(), sum = 0;
  if (axis < 0 || axis >= x.getRank())
    return emitOptionalError(location, "axis ", axis, " is not one of ", x);
  for (Value like : adaptor.getLikes()) {
    auto part = cast<RankedTensorType>(like.getType());
    if (part.getRank() != x.getRank())
      return emitOptionalError(location, part, " is no part of ", x);
    sum = part.isDynamicDim(axis) || ShapedType::isDynamic(sum) ? ShapedType::kDynamic
                                                                : sum + part.getDimSize(axis);
    types.push_back(part);
  }
  if (failed(verifyCompatibleDims({x.getDimSize(axis), sum})))
    return emitOptionalError(location, "the parts have ", sum, " elements along axis ", axis, ", ",
                             x, " has ", x.getDimSize(axis));
  return success();
}

MaybeValues SplitLikeOp::decompose(ImplicitLocOpBuilder &builder) {
  int64_t axis = getAxis(), rank = getX().getType().getRank();
  Sizes offsets(rank, builder.getIndexAttr(0)), strides(rank, builder.getIndexAttr(1));
  SmallVector<Value> parts;
  for (Value like : getLikes()) {
    Sizes sizes = sizesOf(builder, like);
    auto type = cast<RankedTensorType>(like.getType());
    if (isEmpty(type)) {
      parts.push_back(emptyOf(builder, type, sizes));
      continue;
    }
    parts.push_back(tensor::ExtractSliceOp::create(builder, type, getX(), offsets, sizes, strides));
    offsets[axis] = added(builder, offsets[axis], sizes[axis]);
  }
  return parts;
}

MaybeValues SplitLikeOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  Value dx = ConcatOp::create(builder, cotangents, getAxis());
  SmallVector<Value> gradients(1 + getLikes().size());
  gradients.front() = sumToShapeOf(builder, dx, getX());
  return gradients;
}

} // namespace formwork
