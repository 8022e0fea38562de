// The functions of keras.ops with which Keras makes masks. A functional model's file has them as if
// they were layers: NotEqual, Any, LogicalOr, ExpandDims, ZerosLike, OnesLike, Concatenate.
//
// Refuses what Keras does not write there: broadcasting to another rank, zeros that are no
// booleans.
#include "frontend/keras/layers/Layers.h"

using namespace mlir;

namespace formwork::keras {

static FailureOr<Tensor> ofBooleans(LayerCall &call) {
  FailureOr<Tensor> x = call.single(1);
  if (succeeded(x) && !x->element().isInteger(1))
    return call.fail("its input must be of booleans");
  return x;
}

static constexpr StringLiteral secondOperand[] = {"x2"};

static FailureOr<Tensor> notEqualTo(LayerCall &call) {
  FailureOr<Tensor> x = call.single(1);
  const Json *number = call.literal("x2");
  if (failed(x))
    return failure();
  if (!number || !number->real())
    return call.fail("it is supported only as a comparison with a number");
  x->value = notEqual(Expr(call.builder, x->value), *number->real()).value();
  return x;
}

static FailureOr<Tensor> logicalOr(LayerCall &call) {
  FailureOr<Tensor> x = ofBooleans(call);
  std::vector<Tensor> second = call.given("x2");
  if (failed(x))
    return failure();
  if (second.size() != 1 || !second[0].element().isInteger(1) || second[0].rank() != x->rank())
    return call.fail("it must be called with two tensors of booleans of one rank");
  if (failed(broadcast(call, *x, second[0])))
    return failure();
  x->value = LogicalOrOp::create(call.builder, x->value, second[0].value);
  return x;
}

static const Argument anyArguments[] = {
    {"axis", isAxis, ""},
    {"keepdims", isFalse, "false"},
};

static FailureOr<Tensor> any(LayerCall &call) {
  FailureOr<Tensor> x = ofBooleans(call);
  if (failed(x))
    return failure();
  FailureOr<int64_t> axis = call.axisOf(call.arguments.integer("axis"), x->rank());
  if (failed(axis))
    return failure();
  x->value = ReduceAnyOp::create(call.builder, x->value, *axis, /*keepdims=*/false);
  x->symbols.erase(x->symbols.begin() + *axis);
  return x;
}

static std::string isLastAxis(const Json &value) {
  return value.integer() == -1 ? "" : "is supported only as -1";
}

static const Argument expandArguments[] = {{"axis", isLastAxis, ""}};

static FailureOr<Tensor> expandDims(LayerCall &call) {
  FailureOr<Tensor> x = ofBooleans(call);
  if (failed(x))
    return failure();
  // One-hot of depth 1, since a reshape can infer only one unknown size.
  Expr index = castTo(!Expr(call.builder, x->value), call.builder.getI32Type());
  Value one = OneHotOp::create(call.builder, index.value(), 1, call.builder.getI32Type());
  x->value = notEqual(Expr(call.builder, one), 0).value();
  x->symbols.push_back(fixedSize);
  return x;
}

static const Argument likeArguments[] = {{"dtype", anything, "null"}};

template <bool value> static FailureOr<Tensor> filled(LayerCall &call) {
  FailureOr<Tensor> x = call.single(1);
  if (failed(x))
    return failure();
  const std::string *dtype = call.arguments["dtype"].string();
  if (!dtype || *dtype != "bool")
    return call.fail("it is supported only with dtype bool");
  ImplicitLocOpBuilder &b = call.builder;
  auto type = RankedTensorType::get({}, b.getI1Type());
  Value scalar = ConstantOp::create(b, DenseElementsAttr::get(type, value));
  x->value = BroadcastLikeOp::create(b, scalar, x->value,
                                     llvm::to_vector(llvm::seq<int64_t>(0, x->rank())));
  return x;
}

void registerOperations(Registration &layers) {
  layers.push_back({"ops.NotEqual", ArgumentTable({}), notEqualTo, MaskRule::drop, secondOperand});
  layers.push_back({"ops.LogicalOr", ArgumentTable({}), logicalOr, MaskRule::drop, secondOperand});
  layers.push_back({"ops.Any", ArgumentTable(anyArguments), any});
  layers.push_back({"ops.ExpandDims", ArgumentTable(expandArguments), expandDims});
  layers.push_back({"ops.ZerosLike", ArgumentTable(likeArguments), filled<false>});
  layers.push_back({"ops.OnesLike", ArgumentTable(likeArguments), filled<true>});
}

} // namespace formwork::keras
