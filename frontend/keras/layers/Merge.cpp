// Layers over lists of tensors: Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate,
// Dot.
#include "frontend/keras/layers/Layers.h"

using namespace mlir;

namespace formwork::keras {

/// The type that NumPy-like promotion gives all inputs; null for booleans alone.
static Type commonElement(LayerCall &call) {
  Type common;
  for (const Tensor &input : call.inputs) {
    if (input.isFloat())
      return call.dtype;
    if (!common || input.element().getIntOrFloatBitWidth() > common.getIntOrFloatBitWidth())
      common = input.element();
  }
  return common.isInteger(1) ? Type() : common;
}

/// The inputs of a merging layer, of one element type and one rank.
static FailureOr<std::vector<Tensor>> inputsToMerge(LayerCall &call) {
  if (!call.isList || call.inputs.empty())
    return call.fail("it must be called with a list of tensors");
  Type element = commonElement(call);
  if (!element)
    return call.fail("merging booleans is not supported");
  std::vector<Tensor> inputs = call.inputs;
  for (Tensor &input : inputs) {
    if (input.rank() != inputs[0].rank())
      return call.fail(
          "its inputs have different ranks: " + shapeText(inputs[0].type().getShape()) + " and " +
          shapeText(input.type().getShape()) + "; reshape them first");
    if (input.element() != element)
      input.value = CastOp::create(call.builder, input.value, element);
  }
  return inputs;
}

//===--- elementwise -----------------------------------------------------------------------------

/// True where any of the inputs' masks is; null if an input has none.
static Value anyMask(LayerCall &call) {
  Value any = call.inputs.front().mask;
  for (const Tensor &input : llvm::drop_begin(call.inputs))
    any = any && input.mask ? Value(LogicalOrOp::create(call.builder, any, input.mask)) : Value();
  return any;
}

template <typename Op> static FailureOr<Tensor> merge(LayerCall &call, ArrayRef<Tensor> inputs) {
  Tensor result = inputs.front();
  for (const Tensor &input : inputs.drop_front()) {
    if (failed(broadcast(call, result, input)))
      return failure();
    result.value = Op::create(call.builder, result.value, input.value);
  }
  result.mask = anyMask(call);
  return result;
}

template <typename Op> static FailureOr<Tensor> merge(LayerCall &call) {
  FailureOr<std::vector<Tensor>> inputs = inputsToMerge(call);
  return failed(inputs) ? FailureOr<Tensor>(failure()) : merge<Op>(call, *inputs);
}

/// The mask of each element.
static FailureOr<Expr> maskOfElements(LayerCall &call, const Tensor &input) {
  auto type = cast<RankedTensorType>(input.mask.getType());
  if (type.getRank() != input.rank() - 1)
    return call.fail("an input of shape " + shapeText(input.type().getShape()) +
                     " has a mask of shape " + shapeText(type.getShape()) +
                     "; only masks of all dimensions but the last can be multiplied");
  return broadcastLike(Expr(call.builder, input.mask), Expr(call.builder, input.value),
                       input.rank() - 1);
}

/// As Keras multiplies: a masked input counts as 1, and where all are, the product is 0.
static FailureOr<Tensor> multiply(LayerCall &call) {
  FailureOr<std::vector<Tensor>> inputs = inputsToMerge(call);
  if (failed(inputs))
    return failure();
  for (Tensor &input : *inputs) {
    if (!input.mask)
      continue;
    FailureOr<Expr> mask = maskOfElements(call, input);
    if (failed(mask))
      return failure();
    input.value = select(*mask, Expr(call.builder, input.value), 1).value();
  }
  FailureOr<Tensor> result = merge<MulOp>(call, *inputs);
  if (failed(result) || !result->mask)
    return result;
  FailureOr<Expr> mask = maskOfElements(call, *result);
  if (failed(mask))
    return failure();
  result->value = select(*mask, Expr(call.builder, result->value), 0).value();
  return result;
}

/// Keras divides the sum, also of integers, which is refused here.
static FailureOr<Tensor> average(LayerCall &call) {
  FailureOr<Tensor> total = merge<AddOp>(call);
  if (succeeded(total) && !total->isFloat())
    return call.fail("averaging integers is not supported");
  if (succeeded(total))
    total->value = (Expr(call.builder, total->value) / double(call.inputs.size())).value();
  return total;
}

static FailureOr<Tensor> subtract(LayerCall &call) {
  if (call.inputs.size() != 2)
    return call.fail("it is called with " + std::to_string(call.inputs.size()) +
                     " tensors; it subtracts one from another");
  return merge<SubOp>(call);
}

//===--- Dot -------------------------------------------------------------------------------------

static std::string isAxisOrTwo(const Json &value) {
  bool two = value.array() && value.array()->size() == 2 && isAxisOrAxes(value).empty();
  return two || isAxis(value).empty() ? "" : "must be an axis or a list of two";
}

static const Argument dotArguments[] = {
    {"axes", isAxisOrTwo, ""},
    {"normalize", isBoolean, "false"},
};

/// The axis of the k-th input, which is not the batch.
static FailureOr<int64_t> dotAxis(LayerCall &call, size_t k) {
  const Tensor &x = call.inputs[k];
  if (!x.isFloat() || x.rank() < 2)
    return call.fail("its inputs must be of floating-point numbers and have 2 dimensions or more");
  std::vector<int64_t> given = call.arguments.integers("axes");
  FailureOr<int64_t> axis = call.axisOf(given[given.size() == 2 ? k : 0], x.rank());
  if (succeeded(axis) && *axis == 0)
    return call.fail("argument 'axes' names axis 0, which is the batch");
  return axis;
}

/// Of each pair of examples: what remains of the first, then of the second; at least one dimension.
static FailureOr<Tensor> dot(LayerCall &call) {
  if (!call.isList || call.inputs.size() != 2)
    return call.fail("it must be called with a list of two tensors");
  FailureOr<int64_t> i = dotAxis(call, 0), j = dotAxis(call, 1);
  if (failed(i) || failed(j))
    return failure();
  Tensor a = call.inputs[0], b = call.inputs[1];
  for (auto [k, l] : {std::pair<int64_t, int64_t>(0, 0), {*i, *j}}) {
    if (a.size(k) != b.size(l))
      return call.fail("its inputs have shapes that do not fit together: " +
                       shapeText(a.type().getShape()) + " and " + shapeText(b.type().getShape()));
    call.unify(a.symbols[k], b.symbols[l]);
  }
  constexpr double epsilon = 1e-7; // keras.config.epsilon()
  if (call.arguments.flag("normalize")) {
    a.value = ofUnitLength(Expr(call.builder, a.value), *i, epsilon).value();
    b.value = ofUnitLength(Expr(call.builder, b.value), *j, epsilon).value();
  }
  SmallVector<int64_t> batch{0};
  Tensor y{DotGeneralOp::create(call.builder, a.value, b.value, ArrayRef<int64_t>{*i},
                                ArrayRef<int64_t>{*j}, batch, batch),
           {a.symbols[0]}};
  for (int64_t k = 1; k < a.rank(); ++k)
    if (k != *i)
      y.symbols.push_back(a.symbols[k]);
  for (int64_t k = 1; k < b.rank(); ++k)
    if (k != *j)
      y.symbols.push_back(b.symbols[k]);
  if (y.rank() > 1)
    return y;
  y.value = ReshapeOp::create(call.builder, y.value, ArrayRef<int64_t>{-1, 1});
  y.symbols.push_back(fixedSize);
  return y;
}

//===--- Concatenate -----------------------------------------------------------------------------

/// The mask of one input, of all its dimensions but the last: true everywhere if it has none.
static Value maskOrTrue(LayerCall &call, const Tensor &input) {
  if (input.mask)
    return input.mask;
  // Of the input only the shape is used.
  Expr index = iotaLike(Expr(call.builder, input.value), input.rank() - 1);
  return notEqual(maxOver(index, input.rank() - 1), -1).value();
}

/// Along the last axis the inputs' masks are of the same positions, and any of them will do; along
/// another they are put one after the other. Null if no input has one.
static FailureOr<Value> concatenatedMask(LayerCall &call, int64_t axis) {
  if (llvm::none_of(call.inputs, [](const Tensor &input) { return bool(input.mask); }))
    return Value();
  SmallVector<Value> masks;
  for (const Tensor &input : call.inputs) {
    masks.push_back(maskOrTrue(call, input));
    auto type = cast<RankedTensorType>(masks.back().getType());
    if (type.getRank() != input.rank() - 1)
      return call.fail("an input of shape " + shapeText(input.type().getShape()) +
                       " has a mask of shape " + shapeText(type.getShape()) +
                       "; only masks of all dimensions but the last can be concatenated");
  }
  if (axis < call.inputs[0].rank() - 1)
    return Value(ConcatOp::create(call.builder, masks, axis));
  Value any = masks.front();
  for (Value mask : llvm::drop_begin(masks))
    any = LogicalOrOp::create(call.builder, any, mask);
  return any;
}

static const Argument concatenateArguments[] = {{"axis", isAxis, "-1"}};

static FailureOr<Tensor> join(LayerCall &call, ArrayRef<Tensor> inputs) {
  Tensor result = inputs.front();
  FailureOr<int64_t> axis = call.axisOf(call.arguments.integer("axis"), result.rank());
  if (failed(axis))
    return failure();
  SmallVector<Value> values;
  bool grows = inputs.size() > 1 && ShapedType::isDynamic(result.size(*axis));
  for (const Tensor &input : inputs) {
    for (int64_t i = 0; i < result.rank(); ++i) {
      if (i == *axis)
        continue;
      if (result.size(i) != input.size(i))
        return call.fail("its inputs must have the same sizes but for axis " +
                         std::to_string(*axis) + "; they have shapes " +
                         shapeText(result.type().getShape()) + " and " +
                         shapeText(input.type().getShape()));
      call.unify(result.symbols[i], input.symbols[i]);
    }
    grows |= inputs.size() > 1 && ShapedType::isDynamic(input.size(*axis));
    values.push_back(input.value);
  }
  FailureOr<Value> mask = concatenatedMask(call, *axis);
  if (failed(mask))
    return failure();
  result.value = ConcatOp::create(call.builder, values, *axis);
  result.mask = *mask;
  if (grows)
    result.symbols[*axis] = derivedSize;
  return result;
}

static FailureOr<Tensor> concatenate(LayerCall &call) {
  FailureOr<std::vector<Tensor>> inputs = inputsToMerge(call);
  if (failed(inputs))
    return failure();
  return join(call, *inputs);
}

/// The function of keras.ops, of masks.
static FailureOr<Tensor> concatenateBooleans(LayerCall &call) {
  for (const Tensor &input : call.inputs)
    if (!input.element().isInteger(1) || input.rank() != call.inputs[0].rank())
      return call.fail("it is supported only for booleans, of one rank");
  if (call.inputs.empty())
    return call.fail("it must be called with a list of tensors");
  return join(call, call.inputs);
}

void registerMergeLayers(Registration &layers) {
  layers.push_back({"Add", ArgumentTable({}), merge<AddOp>, MaskRule::own});
  layers.push_back({"Subtract", ArgumentTable({}), subtract, MaskRule::own});
  layers.push_back({"Average", ArgumentTable({}), average, MaskRule::own});
  layers.push_back({"Maximum", ArgumentTable({}), merge<MaximumOp>, MaskRule::own});
  layers.push_back({"Minimum", ArgumentTable({}), merge<MinimumOp>, MaskRule::own});
  layers.push_back({"Dot", ArgumentTable(dotArguments), dot});
  layers.push_back({"Multiply", ArgumentTable({}), multiply, MaskRule::own});
  layers.push_back({"ops.Concatenate", ArgumentTable(concatenateArguments), concatenateBooleans});
  layers.push_back(
      {"Concatenate", ArgumentTable(concatenateArguments), concatenate, MaskRule::own});
}

} // namespace formwork::keras
