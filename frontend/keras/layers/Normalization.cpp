// BatchNormalization and LayerNormalization.
#include "frontend/keras/layers/Layers.h"

using namespace mlir;

namespace formwork::keras {

//===--- BatchNormalization ----------------------------------------------------------------------

static const Argument batchArguments[] = {
    {"axis", isAxis, "-1"},
    {"momentum", isNumber, "0.99"},
    {"epsilon", isPositiveNumber, "0.001"},
    {"center", isBoolean, "true"},
    {"scale", isBoolean, "true"},
    {"beta_initializer", isInitializer, "\"zeros\""},
    {"gamma_initializer", isInitializer, "\"ones\""},
    {"moving_mean_initializer", isInitializer, "\"zeros\""},
    {"moving_variance_initializer", isInitializer, "\"ones\""},
    {"beta_regularizer", ofWeight, "null"},
    {"gamma_regularizer", ofWeight, "null"},
    {"beta_constraint", ofWeight, "null"},
    {"gamma_constraint", ofWeight, "null"},
    {"synchronized", isFalse, "false"},
    {"renorm", isFalse, "false"},
    {"renorm_clipping", anything, "null"}, // means nothing without renorm
    {"renorm_momentum", anything, "0.99"},
};

namespace {
/// The variables of a BatchNormalization; gamma and beta may be missing.
struct BatchVariables {
  Value gamma, beta, mean, variance;
};
} // namespace

static FailureOr<BatchVariables> batchVariables(LayerCall &call, int64_t channels) {
  BatchVariables variables;
  auto add = [&](Value &slot, StringRef name, StringRef initializer, bool trainable) {
    FailureOr<Value> value = call.weight(
        {.name = name, .initializer = initializer, .shape = {channels}, .trainable = trainable});
    if (succeeded(value))
      slot = *value;
    return value;
  };
  if ((call.arguments.flag("scale") &&
       failed(add(variables.gamma, "gamma", "gamma_initializer", true))) ||
      (call.arguments.flag("center") &&
       failed(add(variables.beta, "beta", "beta_initializer", true))) ||
      failed(add(variables.mean, "moving_mean", "moving_mean_initializer", false)) ||
      failed(add(variables.variance, "moving_variance", "moving_variance_initializer", false)))
    return failure();
  return variables;
}

/// moving * momentum + batch * (1 - momentum), in Keras's order of operations.
static Value blend(LayerCall &call, Value moving, Value batch) {
  double momentum = call.arguments.number("momentum");
  Value old = MulOp::create(call.builder, moving, scalar(call.builder, momentum, call.dtype));
  Value fresh = MulOp::create(call.builder, batch, scalar(call.builder, 1 - momentum, call.dtype));
  return AddOp::create(call.builder, old, fresh);
}

static FailureOr<Tensor> batchNormalization(LayerCall &call) {
  FailureOr<Tensor> x = call.singleNumeric(1);
  if (failed(x))
    return failure();
  FailureOr<int64_t> axis = call.axisOf(call.arguments.integer("axis"), x->rank());
  if (failed(axis))
    return failure();
  int64_t channels = x->size(*axis);
  if (ShapedType::isDynamic(channels))
    return call.fail("axis " + std::to_string(*axis) + " of its input must have a fixed size");
  FailureOr<BatchVariables> variables = batchVariables(call, channels);
  if (failed(variables))
    return failure();

  ImplicitLocOpBuilder &b = call.builder;
  auto orFilled = [&](Value given, double otherwise) {
    if (given)
      return given;
    auto type = RankedTensorType::get({channels}, call.dtype);
    return Value(
        ConstantOp::create(b, DenseElementsAttr::get(type, FloatAttr::get(call.dtype, otherwise))));
  };
  double epsilon = call.arguments.number("epsilon");
  // A frozen layer infers, also while the rest of the model trains.
  if (call.training && call.trainable()) {
    auto normalized = BatchNormOp::create(b, x->value, orFilled(variables->gamma, 1),
                                          orFilled(variables->beta, 0), b.getI64IntegerAttr(*axis),
                                          b.getF64FloatAttr(epsilon));
    call.assign("moving_mean", blend(call, variables->mean, normalized.getMean()));
    call.assign("moving_variance", blend(call, variables->variance, normalized.getVariance()));
    x->value = normalized.getY();
    return x;
  }
  // x * inv + (beta - mean * inv), as tf.nn.batch_normalization.
  Value inv = RsqrtOp::create(
      b, AddOp::create(b, variables->variance, scalar(b, epsilon, call.dtype)).getResult());
  if (variables->gamma)
    inv = MulOp::create(b, inv, variables->gamma);
  Value scaled = MulOp::create(b, variables->mean, inv);
  Value shift = variables->beta ? Value(SubOp::create(b, variables->beta, scaled))
                                : Value(NegOp::create(b, scaled));
  Value y = MulOp::create(b, x->value, alongAxis(b, inv, *axis, x->rank()));
  x->value = AddOp::create(b, y, alongAxis(b, shift, *axis, x->rank()));
  return x;
}

//===--- LayerNormalization ----------------------------------------------------------------------

static const Argument layerArguments[] = {
    {"axis", isAxisOrAxes, "-1"},
    {"epsilon", isPositiveNumber, "0.001"},
    {"center", isBoolean, "true"},
    {"scale", isBoolean, "true"},
    {"rms_scaling", isFalse, "false"},
    {"beta_initializer", isInitializer, "\"zeros\""},
    {"gamma_initializer", isInitializer, "\"ones\""},
    {"beta_regularizer", ofWeight, "null"},
    {"gamma_regularizer", ofWeight, "null"},
    {"beta_constraint", ofWeight, "null"},
    {"gamma_constraint", ofWeight, "null"},
};

/// The axes from the front, increasing, all of fixed size.
static FailureOr<SmallVector<int64_t>> normalizedAxes(LayerCall &call, const Tensor &x) {
  SmallVector<int64_t> axes;
  for (int64_t given : call.arguments.integers("axis")) {
    FailureOr<int64_t> axis = call.axisOf(given, x.rank());
    if (failed(axis))
      return failure();
    if (llvm::is_contained(axes, *axis))
      return call.fail("it normalizes axis " + std::to_string(*axis) + " twice");
    if (ShapedType::isDynamic(x.size(*axis)))
      return call.fail("axis " + std::to_string(*axis) + " of its input must have a fixed size");
    axes.push_back(*axis);
  }
  llvm::sort(axes);
  return axes;
}

static FailureOr<Tensor> layerNormalization(LayerCall &call) {
  FailureOr<Tensor> x = call.singleNumeric(1);
  if (failed(x))
    return failure();
  FailureOr<SmallVector<int64_t>> axes = normalizedAxes(call, *x);
  if (failed(axes))
    return failure();
  // Keras sorts the axes as they were given, negative ones first, shapes gamma and beta by that
  // order, and reshapes them to the order of the dimensions.
  std::vector<int64_t> given = call.arguments.integers("axis");
  llvm::sort(given);
  SmallVector<int64_t, 4> stored;
  SmallVector<int64_t> shape;
  for (int64_t axis : given)
    stored.push_back(x->size(axis < 0 ? axis + x->rank() : axis));
  for (int64_t axis : *axes)
    shape.push_back(x->size(axis));
  auto vector = [&](StringRef flag, StringRef name, StringRef initializer,
                    double otherwise) -> FailureOr<Value> {
    if (!call.arguments.flag(flag)) {
      auto type = RankedTensorType::get(shape, call.dtype);
      auto value = FloatAttr::get(call.dtype, otherwise);
      return Value(ConstantOp::create(call.builder, DenseElementsAttr::get(type, value)));
    }
    FailureOr<Value> value =
        call.weight({.name = name, .initializer = initializer, .shape = stored});
    if (succeeded(value) && ArrayRef<int64_t>(stored) != ArrayRef<int64_t>(shape))
      return Value(ReshapeOp::create(call.builder, *value, shape));
    return value;
  };
  FailureOr<Value> gamma = vector("scale", "gamma", "gamma_initializer", 1);
  FailureOr<Value> beta = vector("center", "beta", "beta_initializer", 0);
  if (failed(gamma) || failed(beta))
    return failure();
  ImplicitLocOpBuilder &b = call.builder;
  x->value = LayerNormOp::create(b, x->value, *gamma, *beta, b.getDenseI64ArrayAttr(*axes),
                                 b.getF64FloatAttr(call.arguments.number("epsilon")));
  return x;
}

void registerNormalizationLayers(Registration &layers) {
  layers.push_back({"BatchNormalization", ArgumentTable(batchArguments), batchNormalization});
  layers.push_back({"LayerNormalization", ArgumentTable(layerArguments), layerNormalization});
}

} // namespace formwork::keras
