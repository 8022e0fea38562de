// Activation, ReLU, LeakyReLU, PReLU, ELU, Softmax.
//
// Refuses integers, and a mask given to Softmax.
#include "frontend/keras/ActivationFunctions.h"
#include "frontend/keras/Activations.h"
#include "frontend/keras/layers/Layers.h"

using namespace mlir;

namespace formwork::keras {

//===--- checks ----------------------------------------------------------------------------------

static std::string isNotNegative(const Json &value) {
  return value.real() && *value.real() >= 0 ? "" : "must be a number and not negative";
}

static std::string isNotNegativeOrNull(const Json &value) {
  return value.isNull() ? "" : isNotNegative(value);
}

static std::string isLastAxis(const Json &value) {
  return value.integer() == -1
             ? ""
             : "is supported only as -1 in an activation; use a Softmax layer of its own";
}

/// Axes after the batch, which Keras counts from the front only.
static std::string isSharedAxes(const Json &value) {
  const Json::Array *axes = value.array();
  if (value.isNull() || (axes && axes->empty()))
    return "";
  auto isFromFront = [](const Json &axis) { return axis.integer() && *axis.integer() > 0; };
  bool good = axes ? llvm::all_of(*axes, isFromFront) : isFromFront(value);
  return good && isAxisOrAxes(value).empty() ? "" : "must be null or axes counted from 1";
}

//===--- without variables -----------------------------------------------------------------------

static const Argument reluArguments[] = {
    {"max_value", isNotNegativeOrNull, "null"},
    {"negative_slope", isNotNegative, "0.0"},
    {"threshold", isNotNegative, "0.0"},
};

static Expr reluLayer(const Arguments &arguments, Expr x) {
  return relu(x, arguments.number("negative_slope"), arguments["max_value"].real(),
              arguments.number("threshold"));
}

static const Argument leakyArguments[] = {
    {"negative_slope", isNotNegative, "0.3"},
    {"alpha", isNotNegativeOrNull, "null"}, // its name in older files, which Keras still reads
};

static Expr leakyLayer(const Arguments &arguments, Expr x) {
  std::optional<double> alpha = arguments["alpha"].real();
  return leakyRelu(x, alpha ? *alpha : arguments.number("negative_slope"));
}

static const Argument eluArguments[] = {{"alpha", isNumber, "1.0"}};

static Expr eluLayer(const Arguments &arguments, Expr x) {
  return elu(x, arguments.number("alpha"));
}

static const Argument lastSoftmaxArguments[] = {{"axis", isLastAxis, "-1"}};

static Expr lastSoftmax(const Arguments &, Expr x) { return formwork::softmax(x); }

static const Argument activationArguments[] = {{"activation", isAnyActivation, ""}};
static const Argument innerActivationArguments[] = {{"activation", isActivation, ""}};

static Expr innerActivation(const Arguments &arguments, Expr x) {
  return {x.build(), activate(x.build(), arguments["activation"], x.value())};
}

const ActivationLayer *lookUpActivationLayer(StringRef className) {
  static const ActivationLayer layers[] = {
      {"ReLU", ArgumentTable(reluArguments), reluLayer},
      {"LeakyReLU", ArgumentTable(leakyArguments), leakyLayer},
      {"ELU", ArgumentTable(eluArguments), eluLayer},
      {"Softmax", ArgumentTable(lastSoftmaxArguments), lastSoftmax},
      {"Activation", ArgumentTable(innerActivationArguments), innerActivation},
  };
  for (const ActivationLayer &layer : layers)
    if (layer.name == className)
      return &layer;
  return nullptr;
}

template <Expr (*apply)(const Arguments &, Expr)>
static FailureOr<Tensor> applied(LayerCall &call) {
  FailureOr<Tensor> x = call.singleFloat(1);
  if (succeeded(x))
    x->value = apply(call.arguments, Expr(call.builder, x->value)).value();
  return x;
}

static FailureOr<Tensor> activation(LayerCall &call) {
  FailureOr<Tensor> x = call.singleFloat(1);
  if (failed(x) || failed(activate(call, call.arguments["activation"], *x)))
    return failure();
  return x;
}

//===--- Softmax ---------------------------------------------------------------------------------

static const Argument softmaxArguments[] = {{"axis", isAxisOrAxes, "-1"}};

static constexpr StringLiteral softmaxCallArguments[] = {"mask"};
static constexpr double largeNegative = -1e9; // Keras's, in place of what the mask leaves out

static FailureOr<Tensor> softmaxLayer(LayerCall &call) {
  FailureOr<Tensor> x = call.singleFloat(1);
  if (failed(x))
    return failure();
  FailureOr<SmallVector<int64_t>> axes = axesOf(call, *x, "its argument 'axis' names");
  if (failed(axes))
    return failure();
  FailureOr<Value> mask = call.mask(x->rank());
  if (failed(mask))
    return failure();
  for (const Tensor &given : call.given("mask"))
    if (!given.element().isInteger(1))
      return call.fail("its mask must be of booleans");
  Expr value(call.builder, x->value);
  if (*mask)
    value = select(Expr(call.builder, *mask), value, largeNegative);
  Expr y = softmax(value, *axes);
  // Where all is left out.
  x->value = (*mask ? select(Expr(call.builder, *mask), y, 0) : y).value();
  return x;
}

//===--- PReLU -----------------------------------------------------------------------------------

static const Argument preluArguments[] = {
    {"alpha_initializer", isInitializer, "\"Zeros\""},
    {"alpha_regularizer", ofWeight, "null"},
    {"alpha_constraint", ofWeight, "null"},
    {"shared_axes", isSharedAxes, "null"},
};

/// A slope of its own for each element of an example, but along the shared axes.
static FailureOr<Tensor> prelu(LayerCall &call) {
  FailureOr<Tensor> x = call.singleFloat(2);
  if (failed(x))
    return failure();
  SmallVector<int64_t, 4> shape(x->type().getShape().drop_front());
  const Json &shared = call.arguments["shared_axes"];
  for (int64_t axis :
       shared.isNull() ? std::vector<int64_t>() : call.arguments.integers("shared_axes")) {
    if (failed(call.axisOf(axis, x->rank())))
      return failure();
    shape[axis - 1] = 1;
  }
  if (llvm::any_of(shape, ShapedType::isDynamic))
    return call.fail("its input has shape " + shapeText(x->type().getShape()) +
                     "; only the batch and the axes in `shared_axes` may have an unknown size");
  FailureOr<Value> slope =
      call.weight({.name = "alpha", .initializer = "alpha_initializer", .shape = shape});
  if (failed(slope))
    return failure();
  Expr alpha(call.builder, *slope), value(call.builder, x->value);
  auto relu = [&](Expr e) -> Expr { return {e.build(), ReluOp::create(e.build(), e.value())}; };
  x->value = (relu(value) - alpha * relu(-value)).value();
  return x;
}

void registerActivationLayers(Registration &layers) {
  layers.push_back({"Activation", ArgumentTable(activationArguments), activation, MaskRule::pass});
  layers.push_back({"ReLU", ArgumentTable(reluArguments), applied<reluLayer>, MaskRule::pass});
  layers.push_back(
      {"LeakyReLU", ArgumentTable(leakyArguments), applied<leakyLayer>, MaskRule::pass});
  layers.push_back({"ELU", ArgumentTable(eluArguments), applied<eluLayer>, MaskRule::pass});
  layers.push_back({"Softmax", ArgumentTable(softmaxArguments), softmaxLayer, MaskRule::pass,
                    softmaxCallArguments});
  layers.push_back({"PReLU", ArgumentTable(preluArguments), prelu, MaskRule::pass});
}

} // namespace formwork::keras
