// Which function a name or an object stands for.
//
// Refuses Python code, custom functions, and functions with arguments that no name can give.
#include "frontend/keras/Activations.h"

#include "frontend/Diagnostics.h"
#include "frontend/keras/ActivationFunctions.h"
#include "frontend/keras/LayerCall.h"

using namespace mlir;

namespace formwork::keras {

//===--- reading ---------------------------------------------------------------------------------

/// A layer's arguments; those of one that has none are empty.
static const Json &configOf(const Json &value) {
  static const Json empty = Json::object(0);
  const Json *config = value.find("config");
  return config ? *config : empty;
}

/// A function is written as its name, or as an object that holds it.
static std::string_view functionName(const Json &value) {
  if (value.isNull())
    return "linear";
  if (const std::string *name = value.string())
    return *name;
  return value.text("class_name") == "function" ? value.text("config") : "";
}

/// As `activation=layers.LeakyReLU(0.1)` is written.
static const ActivationLayer *layerOf(const Json &value) {
  std::string_view name = value.text("class_name"), custom = value.text("registered_name");
  return custom.empty() || custom == name ? lookUpActivationLayer(name) : nullptr;
}

/// keras.activations.serialize writes a lambda as {"value": [marshalled bytes, ...]}.
static bool isCode(const Json &value) {
  return value.text("class_name") == "__lambda__" || value.find("value");
}

//===--- checking --------------------------------------------------------------------------------

static std::string checkLayer(const ActivationLayer &layer, const Json &value) {
  for (const ArgumentTable::Problem &problem : layer.arguments.check(configOf(value)))
    return "is a " + layer.name.str() + " whose " + problem.message;
  return "";
}

static std::string unknown(const Json &value) {
  std::string_view function = functionName(value);
  std::string known;
  for (StringRef name : activationNames())
    known += (known.empty() ? "" : ", ") + name.str();
  return "is an activation that is not supported: " +
         quoted(function.empty() ? value.text("class_name") : function) + "; supported are " +
         known;
}

std::string isAnyActivation(const Json &value) {
  if (isCode(value))
    return "is Python code stored in the file (a lambda), which is never run; use a named "
           "activation";
  if (const ActivationLayer *layer = layerOf(value))
    return checkLayer(*layer, value);
  if (functionName(value) == "threshold")
    return "is 'threshold', which takes arguments that an activation is not given; use ReLU with "
           "`threshold`";
  bool known = lookUpActivation(functionName(value)) || lookUpAxisActivation(functionName(value));
  return known ? "" : unknown(value);
}

std::string isActivation(const Json &value) {
  if (!isCode(value) && lookUpAxisActivation(functionName(value)))
    return "is " + quoted(functionName(value)) +
           ", which works on a whole axis and is supported only in Dense and Activation; put it "
           "into an Activation layer after this one";
  return isAnyActivation(value);
}

//===--- applying --------------------------------------------------------------------------------

Value activate(ImplicitLocOpBuilder &builder, const Json &activation, Value x) {
  if (const ActivationLayer *layer = layerOf(activation))
    return layer->apply(Arguments(configOf(activation), layer->arguments), Expr(builder, x))
        .value();
  return lookUpActivation(functionName(activation))(Expr(builder, x)).value();
}

LogicalResult activate(LayerCall &call, const Json &activation, Tensor &x) {
  ActivationFunction overAxis = lookUpAxisActivation(functionName(activation));
  if (!overAxis) {
    x.value = activate(call.builder, activation, x.value);
    return success();
  }
  int64_t last = x.rank() - 1, size = x.rank() ? x.size(last) : ShapedType::kDynamic;
  std::string what = "its activation " + quoted(functionName(activation)) + " ";
  if (ShapedType::isDynamic(size))
    return call.fail(what + "needs a last axis of fixed size");
  if (overAxis == lookUpAxisActivation("glu") && size % 2 != 0)
    return call.fail(what + "halves the last axis, whose size " + std::to_string(size) + " is odd");
  x.value = overAxis(Expr(call.builder, x.value)).value();
  return success();
}

} // namespace formwork::keras
