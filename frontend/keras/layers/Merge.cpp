// Add, Multiply and Concatenate: layers over lists of tensors.
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

/// Checks that the shapes broadcast, and gives the symbols of the result.
static LogicalResult broadcast(LayerCall &call, Tensor &sum, const Tensor &input) {
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

template <typename Op> static FailureOr<Tensor> merge(LayerCall &call) {
  FailureOr<std::vector<Tensor>> inputs = inputsToMerge(call);
  if (failed(inputs))
    return failure();
  Tensor result = inputs->front();
  for (const Tensor &input : llvm::drop_begin(*inputs)) {
    if (failed(broadcast(call, result, input)))
      return failure();
    result.value = Op::create(call.builder, result.value, input.value);
  }
  return result;
}

//===--- Concatenate -----------------------------------------------------------------------------

static const Argument concatenateArguments[] = {{"axis", isAxis, "-1"}};

static FailureOr<Tensor> concatenate(LayerCall &call) {
  FailureOr<std::vector<Tensor>> inputs = inputsToMerge(call);
  if (failed(inputs))
    return failure();
  Tensor result = inputs->front();
  FailureOr<int64_t> axis = call.axisOf(call.arguments.integer("axis"), result.rank());
  if (failed(axis))
    return failure();
  SmallVector<Value> values;
  bool grows = inputs->size() > 1 && ShapedType::isDynamic(result.size(*axis));
  for (const Tensor &input : *inputs) {
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
    grows |= inputs->size() > 1 && ShapedType::isDynamic(input.size(*axis));
    values.push_back(input.value);
  }
  result.value = ConcatOp::create(call.builder, values, *axis);
  if (grows)
    result.symbols[*axis] = derivedSize;
  return result;
}

void registerMergeLayers(Registration &layers) {
  layers.push_back({"Add", ArgumentTable({}), merge<AddOp>});
  layers.push_back({"Multiply", ArgumentTable({}), merge<MulOp>});
  layers.push_back({"Concatenate", ArgumentTable(concatenateArguments), concatenate});
}

} // namespace formwork::keras
