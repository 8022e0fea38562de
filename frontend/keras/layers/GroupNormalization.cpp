// GroupNormalization, RMSNormalization and UnitNormalization, made of simpler ops.
#include "frontend/keras/layers/Layers.h"

using namespace mlir;

namespace formwork::keras {

//===--- GroupNormalization ----------------------------------------------------------------------

static std::string isGroups(const Json &value) {
  return value.integer() == -1 || isPositiveInteger(value).empty()
             ? ""
             : "must be a positive integer, or -1 for as many groups as channels";
}

static const Argument groupArguments[] = {
    {"groups", isGroups, "32"},
    {"axis", isAxis, "-1"},
    {"epsilon", isPositiveNumber, "0.001"},
    {"center", isBoolean, "true"},
    {"scale", isBoolean, "true"},
    {"beta_initializer", isInitializer, "\"zeros\""},
    {"gamma_initializer", isInitializer, "\"ones\""},
    {"beta_regularizer", ofWeight, "null"},
    {"gamma_regularizer", ofWeight, "null"},
    {"beta_constraint", ofWeight, "null"},
    {"gamma_constraint", ofWeight, "null"},
};

namespace {
/// x with its channels split: `shape` has the groups at `axis`, a group's channels after them.
struct Grouping {
  int64_t axis, channels, groups;
  SmallVector<int64_t> shape;

  /// A vector over the channels, for broadcasting.
  Expr along(Expr vector) const {
    SmallVector<int64_t> broadcast(shape.size(), 1);
    broadcast[axis] = groups, broadcast[axis + 1] = channels / groups;
    return {vector.build(), ReshapeOp::create(vector.build(), vector.value(), broadcast)};
  }
};
} // namespace

static FailureOr<Grouping> groupingOf(LayerCall &call, const Tensor &x) {
  FailureOr<int64_t> axis = call.axisOf(call.arguments.integer("axis"), x.rank());
  if (failed(axis))
    return failure();
  Grouping grouping{*axis, x.size(*axis), call.arguments.integer("groups"), {}};
  if (*axis == 0 || ShapedType::isDynamic(grouping.channels))
    return call.fail("its axis " + std::to_string(*axis) +
                     " must have a fixed size, and must not "
                     "be the batch");
  if (grouping.groups == -1)
    grouping.groups = grouping.channels;
  if (grouping.channels % grouping.groups != 0)
    return call.fail("the " + std::to_string(grouping.channels) +
                     " channels of its input cannot "
                     "be split into " +
                     std::to_string(grouping.groups) + " groups");
  llvm::append_range(grouping.shape, x.type().getShape());
  grouping.shape[*axis] /= grouping.groups;
  grouping.shape.insert(grouping.shape.begin() + *axis, grouping.groups);
  if (llvm::count_if(grouping.shape, ShapedType::isDynamic) > 1)
    return call.fail("its input has shape " + shapeText(x.type().getShape()) +
                     "; at most one size may be unknown");
  llvm::replace(grouping.shape, ShapedType::kDynamic, int64_t(-1));
  return grouping;
}

static FailureOr<Tensor> groupNormalization(LayerCall &call) {
  FailureOr<Tensor> x = call.singleNumeric(2);
  if (failed(x))
    return failure();
  FailureOr<Grouping> grouping = groupingOf(call, *x);
  if (failed(grouping))
    return failure();
  FailureOr<Value> gamma = optionalWeight(call, "scale", "gamma", grouping->channels),
                   beta = optionalWeight(call, "center", "beta", grouping->channels);
  if (failed(gamma) || failed(beta))
    return failure();

  ImplicitLocOpBuilder &b = call.builder;
  SmallVector<int64_t> others; // all but the batch and the groups
  for (int64_t i = 1; i < int64_t(grouping->shape.size()); ++i)
    if (i != grouping->axis)
      others.push_back(i);
  Expr grouped(b, ReshapeOp::create(b, x->value, grouping->shape));
  Expr centered = grouped - mean(grouped, others, /*keepdims=*/true);
  Expr variance = mean(square(centered), others, /*keepdims=*/true);
  Expr scale = rsqrt(variance + call.arguments.number("epsilon"));
  if (*gamma)
    scale = scale * grouping->along({b, *gamma});
  Expr y = centered * scale;
  if (*beta)
    y = y + grouping->along({b, *beta});
  SmallVector<int64_t> shape(x->type().getShape());
  llvm::replace(shape, ShapedType::kDynamic, int64_t(-1));
  x->value = ReshapeOp::create(b, y.value(), shape);
  return x;
}

//===--- RMSNormalization and UnitNormalization --------------------------------------------------

static const Argument rmsArguments[] = {
    {"axis", isAxisOrAxes, "-1"},
    {"epsilon", isPositiveNumber, "1e-06"},
};

/// Keras multiplies the last dimensions by `scale`, whatever the axes; where these are others, the
/// sizes may happen to fit, and then that is what a model was trained with.
static FailureOr<Tensor> rmsNormalization(LayerCall &call) {
  FailureOr<Tensor> x = call.singleNumeric(1);
  if (failed(x))
    return failure();
  FailureOr<SmallVector<int64_t>> axes = axesOf(call, *x, "it normalizes");
  if (failed(axes))
    return failure();
  std::vector<int64_t> given = call.arguments.integers("axis");
  llvm::sort(given);
  SmallVector<int64_t, 4> shape;
  for (int64_t axis : given)
    shape.push_back(x->size(axis < 0 ? axis + x->rank() : axis));
  auto last = x->type().getShape().take_back(shape.size());
  for (auto [size, fits] : llvm::zip(shape, last))
    if (ShapedType::isDynamic(size) || (size != 1 && size != fits))
      return call.fail("its axes must have fixed sizes and be the last ones; its input has shape " +
                       shapeText(x->type().getShape()));
  FailureOr<Value> scale =
      call.weight({.name = "scale",
                   .initializer = "",
                   .shape = shape,
                   .special = plainInitializer(*call.builder.getContext(), "Ones")});
  if (failed(scale))
    return failure();
  Expr value(call.builder, x->value);
  Expr power = mean(square(value), *axes, /*keepdims=*/true);
  Expr y = value * rsqrt(power + call.arguments.number("epsilon"));
  x->value = (y * Expr(call.builder, *scale)).value();
  return x;
}

static const Argument unitArguments[] = {{"axis", isAxisOrAxes, "-1"}};

static FailureOr<Tensor> unitNormalization(LayerCall &call) {
  FailureOr<Tensor> x = call.singleNumeric(1);
  if (failed(x))
    return failure();
  FailureOr<SmallVector<int64_t>> axes = axesOf(call, *x, "it normalizes");
  if (failed(axes))
    return failure();
  x->value = ofUnitLength(Expr(call.builder, x->value), *axes, 1e-12).value();
  return x;
}

void registerGroupNormalizationLayers(Registration &layers) {
  layers.push_back(
      {"GroupNormalization", ArgumentTable(groupArguments), groupNormalization, MaskRule::pass});
  layers.push_back({"RMSNormalization", ArgumentTable(rmsArguments), rmsNormalization});
  layers.push_back(
      {"UnitNormalization", ArgumentTable(unitArguments), unitNormalization, MaskRule::pass});
}

} // namespace formwork::keras
