// Small pieces that several layers emit.
#include "frontend/keras/layers/Layers.h"

using namespace mlir;

namespace formwork::keras {

Value contract(ImplicitLocOpBuilder &builder, Value a, Value b, int64_t ofA, int64_t ofB) {
  return DotGeneralOp::create(builder, a, b, ArrayRef<int64_t>{ofA}, ArrayRef<int64_t>{ofB},
                              ArrayRef<int64_t>{}, ArrayRef<int64_t>{});
}

Tensor permute(ImplicitLocOpBuilder &builder, const Tensor &x, ArrayRef<int64_t> order) {
  Tensor y{TransposeOp::create(builder, x.value, order), {}};
  for (int64_t dimension : order)
    y.symbols.push_back(x.symbols[dimension]);
  return y;
}

Value drop(LayerCall &call, Value x, double rate) {
  return DropoutOp::create(call.builder, x, call.rng(), call.builder.getF64FloatAttr(rate),
                           call.builder.getI64IntegerAttr(call.nextStream()));
}

FailureOr<SmallVector<int64_t>> axesOf(LayerCall &call, const Tensor &x, StringRef saying) {
  SmallVector<int64_t> axes;
  for (int64_t given : call.arguments.integers("axis")) {
    FailureOr<int64_t> axis = call.axisOf(given, x.rank());
    if (failed(axis))
      return failure();
    if (llvm::is_contained(axes, *axis))
      return call.fail((saying + " axis " + std::to_string(*axis) + " twice").str());
    axes.push_back(*axis);
  }
  llvm::sort(axes);
  return axes;
}

LogicalResult haveFixedSizes(LayerCall &call, const Tensor &x, ArrayRef<int64_t> axes) {
  for (int64_t axis : axes)
    if (ShapedType::isDynamic(x.size(axis)))
      return call.fail("axis " + std::to_string(axis) + " of its input must have a fixed size");
  return success();
}

FailureOr<Value> optionalWeight(LayerCall &call, StringRef flag, StringRef name,
                                ArrayRef<int64_t> shape) {
  if (!call.arguments.flag(flag))
    return Value();
  std::string initializer = name.str() + "_initializer";
  return call.weight(
      {.name = name, .initializer = initializer, .shape = SmallVector<int64_t, 4>(shape)});
}

LogicalResult broadcast(LayerCall &call, Tensor &sum, const Tensor &input) {
  for (int64_t i = 0; i < sum.rank(); ++i) {
    int64_t a = sum.size(i), b = input.size(i);
    if (a == b && ShapedType::isDynamic(a))
      call.unify(sum.symbols[i], input.symbols[i]);
    else if (a != b && a != 1 && b != 1 && (i > 0 || (a >= 0 && b >= 0)))
      return call.fail(
          "its inputs have shapes that do not fit together: " + shapeText(sum.type().getShape()) +
          " and " + shapeText(input.type().getShape()));
    if (a == 1)
      sum.symbols[i] = input.symbols[i];
  }
  return success();
}

static Value constantOf(ImplicitLocOpBuilder &builder, ArrayRef<double> values,
                        ArrayRef<int64_t> shape, Type element) {
  auto elements = llvm::map_to_vector(
      values, [&](double value) -> Attribute { return FloatAttr::get(element, value); });
  auto type = RankedTensorType::get(shape, element);
  return ConstantOp::create(builder, DenseElementsAttr::get(type, elements));
}

/// Appends the numbers in nested lists of equal lengths, whose lengths are `shape`.
static void flatten(const Json &value, size_t depth, SmallVector<int64_t> &shape,
                    SmallVector<double> &values) {
  const Json::Array *elements = value.array();
  if (!elements)
    return values.push_back(*value.real());
  if (shape.size() == depth)
    shape.push_back(int64_t(elements->size()));
  for (const Json &element : *elements)
    flatten(element, depth + 1, shape, values);
}

Value numbers(LayerCall &call, StringRef argument) {
  SmallVector<int64_t> shape;
  SmallVector<double> values;
  flatten(numbersIn(call.arguments[argument]), 0, shape, values);
  return constantOf(call.builder, values, shape, call.dtype);
}

Value scalar(ImplicitLocOpBuilder &builder, double value, Type element) {
  auto type = RankedTensorType::get({}, element);
  return ConstantOp::create(builder, DenseElementsAttr::get(type, FloatAttr::get(element, value)));
}

Value alongAxis(ImplicitLocOpBuilder &builder, Value vector, int64_t axis, int64_t rank) {
  if (axis == rank - 1)
    return vector;
  SmallVector<int64_t> shape(rank, 1);
  shape[axis] = cast<RankedTensorType>(vector.getType()).getDimSize(0);
  return ReshapeOp::create(builder, vector, shape);
}

Value constantAlong(ImplicitLocOpBuilder &builder, ArrayRef<double> values, int64_t axis,
                    int64_t rank, Type element) {
  SmallVector<int64_t> shape(rank, 1);
  shape[axis] = values.size();
  return constantOf(builder, values, shape, element);
}

} // namespace formwork::keras
