// The table of activation functions.
#include "frontend/keras/Activations.h"

#include "frontend/Diagnostics.h"
#include "ir/Dialect.h"

using namespace mlir;

namespace formwork::keras {

namespace {
struct Activation {
  std::string_view name;
  Value (*apply)(ImplicitLocOpBuilder &builder, Value x);
};
} // namespace

template <typename Op> static Value apply(ImplicitLocOpBuilder &builder, Value x) {
  return Op::create(builder, x);
}
static Value identity(ImplicitLocOpBuilder &, Value x) { return x; }

static constexpr Activation table[] = {
    {"linear", identity},          {"relu", apply<ReluOp>},       {"tanh", apply<TanhOp>},
    {"sigmoid", apply<SigmoidOp>}, {"softmax", apply<SoftmaxOp>}, // over the last axis, as
                                                                  // activations.softmax
    {"gelu", apply<GeluOp>}, // exact: activations.gelu(x, approximate=False)
};

/// A function is written as its name, or as an object that holds it.
static std::string_view nameOf(const Json &value) {
  if (value.isNull())
    return "linear";
  if (const std::string *name = value.string())
    return *name;
  return value.text("class_name") == "function" ? value.text("config") : value.text("class_name");
}

static const Activation *lookUp(const Json &value) {
  bool custom = value.object() && value.text("class_name") != "function";
  for (const Activation &activation : table)
    if (!custom && activation.name == nameOf(value))
      return &activation;
  return nullptr;
}

/// keras.activations.serialize writes a lambda as {"value": [marshalled bytes, ...]}.
static bool isCode(const Json &value) {
  return value.text("class_name") == "__lambda__" || value.find("value");
}

std::string isActivation(const Json &value) {
  if (isCode(value))
    return "is Python code stored in the file (a lambda), which is never run; use a named "
           "activation";
  if (lookUp(value))
    return "";
  std::string known;
  for (const Activation &activation : table)
    known += (known.empty() ? "" : ", ") + std::string(activation.name);
  return "is an activation that is not supported: " + quoted(nameOf(value)) + "; supported are " +
         known;
}

Value activate(ImplicitLocOpBuilder &builder, const Json &activation, Value x) {
  return lookUp(activation)->apply(builder, x);
}

} // namespace formwork::keras
