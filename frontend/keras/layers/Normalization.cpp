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
  auto moving = [&](StringRef name, StringRef initializer) {
    return call.weight(
        {.name = name, .initializer = initializer, .shape = {channels}, .trainable = false});
  };
  FailureOr<Value> gamma = optionalWeight(call, "scale", "gamma", channels),
                   beta = optionalWeight(call, "center", "beta", channels),
                   mean = moving("moving_mean", "moving_mean_initializer"),
                   variance = moving("moving_variance", "moving_variance_initializer");
  if (failed(gamma) || failed(beta) || failed(mean) || failed(variance))
    return failure();
  return BatchVariables{*gamma, *beta, *mean, *variance};
}

/// moving * momentum + batch * (1 - momentum), in Keras's order of operations.
static Value blend(LayerCall &call, Value moving, Value batch) {
  double momentum = call.arguments.number("momentum");
  Value old = MulOp::create(call.builder, moving, scalar(call.builder, momentum, call.dtype));
  Value fresh = MulOp::create(call.builder, batch, scalar(call.builder, 1 - momentum, call.dtype));
  return AddOp::create(call.builder, old, fresh);
}

namespace {
struct Normalized {
  Value y, mean, variance;
};
} // namespace

/// By the moments of what the mask leaves: of the formula's sums none counts what it does not.
static Normalized normalizeMasked(LayerCall &call, const Tensor &x, Value mask, int64_t axis,
                                  Value gamma, Value beta) {
  constexpr double tiny = 1e-7; // keras.config.epsilon()
  ImplicitLocOpBuilder &b = call.builder;
  SmallVector<int64_t> axes;
  for (int64_t i = 0; i < x.rank(); ++i)
    if (i != axis)
      axes.push_back(i);
  Expr value(b, x.value);
  Expr counts = broadcastLike(Expr(b, mask), value, x.rank() - 1);
  Expr number = sum(castTo(counts, call.dtype), axes) + tiny;
  auto along = [&](Expr vector) -> Expr {
    return {b, alongAxis(b, vector.value(), axis, x.rank())};
  };
  Expr mean = sum(select(counts, value, 0), axes) / number;
  Expr centred = value - along(mean);
  Expr variance = sum(square(select(counts, centred, 0)), axes) / number;
  Expr scale = rsqrt(variance + call.arguments.number("epsilon")) * Expr(b, gamma);
  Expr y = centred * along(scale) + along(Expr(b, beta));
  return {y.value(), mean.value(), variance.value()};
}

static constexpr StringLiteral batchCallArguments[] = {"training", "mask"};

static FailureOr<Tensor> batchNormalization(LayerCall &call) {
  FailureOr<Tensor> x = call.singleNumeric(1);
  if (failed(x))
    return failure();
  FailureOr<Value> mask = call.mask(x->rank() - 1);
  if (failed(mask))
    return failure();
  FailureOr<int64_t> axis = call.axisOf(call.arguments.integer("axis"), x->rank());
  if (failed(axis) || failed(haveFixedSizes(call, *x, *axis)))
    return failure();
  int64_t channels = x->size(*axis);
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
    Value gamma = orFilled(variables->gamma, 1), beta = orFilled(variables->beta, 0);
    Normalized result;
    if (*mask) {
      result = normalizeMasked(call, *x, *mask, *axis, gamma, beta);
    } else {
      auto op = BatchNormOp::create(b, x->value, gamma, beta, b.getI64IntegerAttr(*axis),
                                    b.getF64FloatAttr(epsilon));
      result = {op.getY(), op.getMean(), op.getVariance()};
    }
    call.assign("moving_mean", blend(call, variables->mean, result.mean));
    call.assign("moving_variance", blend(call, variables->variance, result.variance));
    x->value = result.y;
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

static FailureOr<Tensor> layerNormalization(LayerCall &call) {
  FailureOr<Tensor> x = call.singleNumeric(1);
  if (failed(x))
    return failure();
  FailureOr<SmallVector<int64_t>> axes = axesOf(call, *x, "it normalizes");
  if (failed(axes) || failed(haveFixedSizes(call, *x, *axes)))
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
  auto vector = [&](StringRef flag, StringRef name, double otherwise) -> FailureOr<Value> {
    FailureOr<Value> value = optionalWeight(call, flag, name, stored);
    if (succeeded(value) && !*value) {
      auto type = RankedTensorType::get(shape, call.dtype);
      auto element = FloatAttr::get(call.dtype, otherwise);
      return Value(ConstantOp::create(call.builder, DenseElementsAttr::get(type, element)));
    }
    if (succeeded(value) && ArrayRef<int64_t>(stored) != ArrayRef<int64_t>(shape))
      return Value(ReshapeOp::create(call.builder, *value, shape));
    return value;
  };
  FailureOr<Value> gamma = vector("scale", "gamma", 1), beta = vector("center", "beta", 0);
  if (failed(gamma) || failed(beta))
    return failure();
  ImplicitLocOpBuilder &b = call.builder;
  x->value = LayerNormOp::create(b, x->value, *gamma, *beta, b.getDenseI64ArrayAttr(*axes),
                                 b.getF64FloatAttr(call.arguments.number("epsilon")));
  return x;
}

void registerNormalizationLayers(Registration &layers) {
  layers.push_back({"BatchNormalization", ArgumentTable(batchArguments), batchNormalization,
                    MaskRule::pass, batchCallArguments});
  layers.push_back(
      {"LayerNormalization", ArgumentTable(layerArguments), layerNormalization, MaskRule::pass});
}

} // namespace formwork::keras
