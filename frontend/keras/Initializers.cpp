// Keras's initializers by class, with what each takes.
#include "frontend/keras/Initializers.h"

#include "frontend/Diagnostics.h"
#include "frontend/keras/Arguments.h"
#include "frontend/keras/Attributes.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringRef.h"

using namespace mlir;

namespace formwork::keras {

namespace {
/// A class, its name as a string argument, other names Keras gives it, and its defaults.
struct Known {
  llvm::StringLiteral className, shortName, otherName, defaults;
};
} // namespace

static constexpr llvm::StringLiteral scaled =
    R"({"seed": null, "input_axes": null, "output_axes": null})";

static constexpr Known table[] = {
    {"Zeros", "zeros", "zero", "{}"},
    {"Ones", "ones", "one", "{}"},
    {"Constant", "constant", "", R"({"value": 0.0})"},
    {"RandomUniform", "random_uniform", "uniform",
     R"({"seed": null, "minval": -0.05, "maxval": 0.05})"},
    {"RandomNormal", "random_normal", "normal", R"({"seed": null, "mean": 0.0, "stddev": 0.05})"},
    {"TruncatedNormal", "truncated_normal", "", R"({"seed": null, "mean": 0.0, "stddev": 0.05})"},
    {"GlorotUniform", "glorot_uniform", "", scaled},
    {"GlorotNormal", "glorot_normal", "", scaled},
    {"HeUniform", "he_uniform", "", scaled},
    {"HeNormal", "he_normal", "", scaled},
    {"LecunUniform", "lecun_uniform", "", scaled},
    {"LecunNormal", "lecun_normal", "", scaled},
    {"VarianceScaling", "variance_scaling", "",
     R"({"seed": null, "scale": 1.0, "mode": "fan_in", "distribution": "truncated_normal",
         "input_axes": null, "output_axes": null})"},
    {"Orthogonal", "orthogonal", "OrthogonalInitializer", R"({"seed": null, "gain": 1.0})"},
    {"Identity", "identity", "IdentityInitializer", R"({"gain": 1.0})"},
    {"STFT", "stft", "STFTInitializer",
     R"({"side": "real", "window": "hann", "scaling": "density", "periodic": false})"},
};

static const Known *lookUp(const Json &value) {
  StringRef name = value.string() ? std::string_view(*value.string()) : value.text("class_name");
  for (const Known &known : table)
    if (name == known.className || name == known.shortName ||
        (!name.empty() && name == known.otherName))
      return &known;
  return nullptr;
}

/// An integer, or a SeedGenerator that begins with one.
static bool isSeed(const Json &value) {
  const Json *config = value.text("class_name") == "SeedGenerator" ? value.find("config") : nullptr;
  const Json *seed = config ? config->find("seed") : nullptr;
  return value.integer() || (seed && seed->integer());
}

/// What the argument must be and is not; empty if all is well.
static std::string checkArgument(StringRef name, const Json &value) {
  auto unless = [](bool fits, const char *expected) { return fits ? std::string() : expected; };
  if (name == "seed")
    return unless(value.isNull() || isSeed(value), "must be null, an integer or a SeedGenerator");
  if (name == "input_axes" || name == "output_axes")
    return unless(value.isNull() || (value.array() && isAxisOrAxes(value).empty()),
                  "must be null or a list of axes");
  if (name == "value")
    return isNumbers(value);
  if (name == "window")
    return unless(value.isNull() || value.string() || isNumbers(value).empty(),
                  "must be null, the name of a window or its values");
  if (name == "periodic")
    return isBoolean(value);
  if (name == "mode")
    return unless(isOneOf(value, {"fan_in", "fan_out", "fan_avg"}),
                  "must be \"fan_in\", \"fan_out\" or \"fan_avg\"");
  if (name == "distribution")
    return unless(isOneOf(value, {"truncated_normal", "untruncated_normal", "uniform"}),
                  "must be \"truncated_normal\", \"untruncated_normal\" or \"uniform\"");
  if (name == "side")
    return unless(isOneOf(value, {"real", "imag"}), "must be \"real\" or \"imag\"");
  if (name == "scaling")
    return unless(value.isNull() || isOneOf(value, {"density", "spectrum"}),
                  "must be \"density\", \"spectrum\" or null");
  return unless(value.real().has_value(), "must be a number");
}

std::string isInitializer(const Json &value) {
  const Known *known = lookUp(value);
  std::string_view custom = value.text("registered_name");
  if (!known || (!custom.empty() && custom != value.text("class_name")))
    return "is an initializer that is not supported: " +
           quoted(value.string() ? std::string_view(*value.string()) : value.text("class_name"));
  Json defaults = std::get<Json>(parseJson(std::string_view(known->defaults)));
  const Json *config = value.find("config");
  if (config && !config->object())
    return "is an initializer whose configuration is no object";
  if (config)
    for (const Json::Member &argument : *config->object()) {
      if (!defaults.find(argument.key))
        return "is an initializer with an unknown argument " + quoted(argument.key);
      if (std::string problem = checkArgument(argument.key, argument.value); !problem.empty())
        return "cannot be: its initializer's argument " + quoted(argument.key) + " " + problem;
    }
  return "";
}

static DictionaryAttr named(MLIRContext &context, StringRef className, DictionaryAttr config) {
  Builder builder(&context);
  return builder.getDictionaryAttr(
      {builder.getNamedAttr("class_name", builder.getStringAttr(className)),
       builder.getNamedAttr("config", config)});
}

DictionaryAttr initializerAttribute(MLIRContext &context, const Json &value) {
  const Known *known = lookUp(value);
  Json defaults = std::get<Json>(parseJson(std::string_view(known->defaults)));
  NamedAttrList config(cast<DictionaryAttr>(attributeOf(context, defaults)));
  if (const Json *given = value.find("config"))
    for (NamedAttribute argument : cast<DictionaryAttr>(attributeOf(context, *given)))
      config.set(argument.getName(), argument.getValue());
  return named(context, known->className, config.getDictionary(&context));
}

DictionaryAttr plainInitializer(MLIRContext &context, StringRef className) {
  return named(context, className, DictionaryAttr::get(&context));
}

DictionaryAttr concatenated(MLIRContext &context, ArrayRef<InitializerPart> parts) {
  Builder builder(&context);
  SmallVector<Attribute> list;
  for (const InitializerPart &part : parts)
    list.push_back(builder.getDictionaryAttr(
        {builder.getNamedAttr("size", builder.getI64IntegerAttr(part.size)),
         builder.getNamedAttr("initializer", part.initializer)}));
  auto config = builder.getNamedAttr("parts", builder.getArrayAttr(list));
  return named(context, "Concatenate", builder.getDictionaryAttr(config));
}

} // namespace formwork::keras
