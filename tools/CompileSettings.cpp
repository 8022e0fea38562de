// Edits Keras's compile_config as JSON, in the shapes in which Keras writes it.
#include "tools/CompileSettings.h"

#include "frontend/Json.h"
#include "frontend/keras/Attributes.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringExtras.h"

#include <nlohmann/json.hpp>

using namespace mlir;
using nlohmann::json;

namespace formwork {

/// Keras finds optimizers by name in any case: "adam" is Adam, "sgd" is SGD.
static json optimizerNamed(StringRef name) {
  for (StringRef known : {"SGD", "RMSprop", "Adam", "AdamW", "Adadelta", "Adagrad", "Adamax",
                          "Adafactor", "Nadam", "Ftrl", "Lion", "Lamb", "Muon"})
    if (known.equals_insensitive(name))
      name = known;
  return {{"module", "keras.optimizers"}, {"class_name", name.str()}, {"config", json::object()}};
}

static json listOfNames(StringRef names) {
  json list = json::array();
  for (StringRef name : llvm::split(names, ','))
    list.push_back(name.trim().str());
  return list;
}

/// What an option means: JSON if it begins like JSON, else a name.
static FailureOr<json> valueOf(StringRef option, StringRef text, Location location,
                               llvm::function_ref<json(StringRef)> named) {
  if (!text.starts_with("{") && !text.starts_with("["))
    return named(text);
  json value = json::parse(text.str(), nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded())
    return emitError(location) << option << " is no JSON, though it begins like it: " << text;
  return value;
}

static LogicalResult replace(json &config, const char *member, StringRef text, Location location,
                             llvm::function_ref<json(StringRef)> named) {
  if (text.empty())
    return success();
  auto value = valueOf(std::string("--") + member, text, location, named);
  if (succeeded(value))
    config[member] = *value;
  return value;
}

static bool isMissing(const json &config, const char *member) {
  auto found = config.find(member);
  return found == config.end() || found->is_null();
}

/// Training needs both; each that is missing is named.
static LogicalResult requireSettings(const json &config, Location location) {
  SmallVector<StringRef> missing;
  for (const char *member : {"optimizer", "loss"})
    if (isMissing(config, member))
      missing.push_back(member);
  if (missing.empty())
    return success();
  return emitError(location) << "training needs " << llvm::join(missing, " and ")
                             << ", and this model was saved without; compile it in Keras before "
                                "saving, or give --"
                             << llvm::join(missing, " and --");
}

/// What the file remembers of an optimizer that is not the one asked for does not count.
static void forgetReplaced(ImportedModel &model, const CompileSettings &settings) {
  if (!settings.optimizer.empty())
    model.optimizerState.clear();
  if (settings.learningRate)
    llvm::erase_if(model.optimizerState, [](const Weight &weight) {
      return weight.variable == "optimizer/vars/1"; // The learning rate, in Keras's order.
    });
}

LogicalResult applyCompileSettings(ImportedModel &model, const CompileSettings &settings) {
  ModuleOp module = *model.module;
  json config = json::parse(model.compileConfig, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object())
    config = json::object();
  auto itself = [](StringRef name) { return json(name.str()); };
  if (failed(replace(config, "optimizer", settings.optimizer, module.getLoc(), optimizerNamed)) ||
      failed(replace(config, "loss", settings.loss, module.getLoc(), itself)) ||
      failed(replace(config, "metrics", settings.metrics, module.getLoc(), listOfNames)) ||
      failed(requireSettings(config, module.getLoc())))
    return failure();
  json &optimizer = config["optimizer"];
  if (optimizer.is_string())
    optimizer = optimizerNamed(optimizer.get<std::string>());
  if (!optimizer.is_object())
    return emitError(module.getLoc()) << "--optimizer is neither a name nor a JSON object";
  if (settings.learningRate)
    optimizer["config"]["learning_rate"] = *settings.learningRate;
  forgetReplaced(model, settings);
  model.compileConfig = config.dump();
  auto parsed = parseJson(model.compileConfig);
  module->setAttr("fw.training", keras::attributeOf(*module.getContext(), std::get<Json>(parsed)));
  return success();
}

} // namespace formwork
