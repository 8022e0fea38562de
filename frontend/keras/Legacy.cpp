// Turns the configuration of an .h5 file into that of an archive and finds each variable's dataset.
//
// A dataset is found by the end of its path: Keras writes inner/within/kernel of the layer `inner`
// as model_weights/inner/within/kernel, Keras 2 as model_weights/inner/within/kernel:0, and a
// cell's variables one level deeper. Where two datasets fit equally well, none is taken. The
// optimizer's are read in the order that their group's attribute says; those of Keras 2 are others,
// and stay behind.
#include "frontend/keras/Legacy.h"

#include "frontend/keras/Keras.h"
#include "frontend/keras/Keras2.h"
#include "frontend/keras/WeightTransfer.h"

#include "ir/Dialect.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace formwork::keras {

bool isLegacyFile(std::string_view bytes) { return bytes.substr(0, 8) == "\x89HDF\r\n\x1a\n"; }

//===--- configuration ---------------------------------------------------------------------------

static std::string moduleOf(std::string_view className) {
  if (className == "Functional")
    return "keras.src.models.functional";
  return className == "Sequential" ? "keras" : "keras.layers";
}

/// The members that an object of an archive has beside class_name and config, as far as it lacks
/// them: where its class is from.
static std::vector<std::string> origin(const Json &object, std::string_view module) {
  std::vector<std::string> parts;
  if (!object.find("module"))
    parts.push_back("\"module\": " + quotedJson(module));
  if (!object.find("registered_name"))
    parts.push_back("\"registered_name\": null");
  return parts;
}

/// The same value; layers say where their classes are from.
static std::string modernize(const Json &value, bool isLayer) {
  std::vector<std::string> parts;
  if (const Json::Array *elements = value.array()) {
    for (const Json &element : *elements)
      parts.push_back(modernize(element, isLayer));
    return "[" + llvm::join(parts, ", ") + "]";
  }
  if (!value.object())
    return value.print();
  if (std::string_view className = value.text("class_name"); isLayer && !className.empty())
    parts = origin(value, moduleOf(className));
  for (const Json::Member &member : *value.object()) {
    bool holdsLayers = member.key == "layers" || member.key == "layer" ||
                       member.key == "forward_layer" || member.key == "backward_layer" ||
                       member.key == "cell" || member.key == "cells";
    parts.push_back(quotedJson(member.key) + ": " + modernize(member.value, holdsLayers));
  }
  return "{" + llvm::join(parts, ", ") + "}";
}

static std::string modernizeOptimizer(const Json &value) {
  if (!value.object())
    return value.print();
  std::vector<std::string> parts = origin(value, "keras.optimizers");
  for (const Json::Member &member : *value.object())
    parts.push_back(quotedJson(member.key) + ": " + member.value.print());
  return "{" + llvm::join(parts, ", ") + "}";
}

/// training_config as compile_config; empty if there is none.
static std::string compileConfig(const Json &training) {
  std::vector<std::string> parts;
  if (training.object())
    for (const Json::Member &member : *training.object()) {
      if (member.key == "optimizer_config")
        parts.push_back("\"optimizer\": " + modernizeOptimizer(member.value));
      else
        parts.push_back(quotedJson(member.key) + ": " + member.value.print());
    }
  return parts.empty() ? "" : "{" + llvm::join(parts, ", ") + "}";
}

namespace {
/// What the attributes of a file say.
struct Attributes {
  std::optional<std::string> config, version, training;
};
} // namespace

static std::optional<Attributes> readAttributes(const std::string &bytes) {
  auto texts = readAttributesIsolated(bytes, {"model_config", "keras_version", "training_config"});
  if (!texts)
    return {};
  return Attributes{(*texts)[0], (*texts)[1], (*texts)[2]};
}

/// Null if there is no text, or if it is no JSON.
static std::optional<Json> parse(const std::optional<std::string> &text) {
  if (!text)
    return {};
  auto parsed = parseJson(*text);
  if (Json *json = std::get_if<Json>(&parsed))
    return std::move(*json);
  return {};
}

static bool isKeras2(const Attributes &attributes) {
  return StringRef(attributes.version.value_or("")).starts_with("2.");
}

/// The same value once more, from what was made of it.
static std::optional<Json> parse(const std::string &text) {
  return parse(std::optional<std::string>(text));
}

/// The text of an archive's config.json, or a problem.
static std::optional<std::string> makeConfig(const Attributes &attributes, std::string &problem) {
  std::optional<Json> config = parse(attributes.config);
  if (!config || !config->object()) {
    problem = "this HDF5 file is no Keras model: its attribute model_config is missing or no JSON; "
              "if it has weights alone, save the whole model, with model.save";
    return {};
  }
  std::string version = attributes.version.value_or("");
  if (StringRef(version).starts_with("1.")) {
    problem = "this file is by Keras " + quoted(version) +
              ", whose format is not supported; load it with Keras 3 and save it as .keras";
    return {};
  }
  std::optional<Json> training = parse(attributes.training);
  if (isKeras2(attributes)) {
    config = parse(fromKeras2(*config));
    training = training ? parse(trainingFromKeras2(*training)) : std::nullopt;
  }
  std::string text = modernize(*config, /*isLayer=*/true);
  std::string compiled = training ? compileConfig(*training) : "";
  if (!compiled.empty())
    text.insert(text.size() - 1, ", \"compile_config\": " + compiled);
  return text;
}

//===--- weights ---------------------------------------------------------------------------------

/// "lstm_cell" of "lstm_cell_3": Keras 2 counts the cells of a whole program. And what Keras 3
/// calls the kernel of DepthwiseConv2D.
static StringRef canonical(StringRef component) {
  if (component == "depthwise_kernel")
    return "kernel";
  StringRef stem = component.rtrim("0123456789");
  return stem.size() < component.size() && stem.consume_back("_") ? stem : component;
}

/// How much two paths have in common at their ends: two for each component that is the same, one
/// for one that is but for what Keras 2 called it.
static unsigned commonEnd(StringRef a, StringRef b) {
  unsigned common = 0;
  SmallVector<StringRef> ofA, ofB;
  a.split(ofA, '/'), b.split(ofB, '/');
  for (auto [x, y] : llvm::zip(llvm::reverse(ofA), llvm::reverse(ofB))) {
    if (canonical(x) != canonical(y))
      break;
    common += x == y ? 2 : 1;
  }
  return common;
}

/// The dataset that fits the variable best; empty if none does or several do.
static std::string bestFit(StringRef variable, ArrayRef<std::string> datasets) {
  unsigned best = 0;
  std::string found;
  for (const std::string &dataset : datasets) {
    StringRef path = dataset;
    path.consume_back(":0"); // which TensorFlow gave every variable's name
    unsigned common = commonEnd(variable, path);
    if (common > best)
      best = common, found = dataset;
    else if (common == best)
      found.clear();
  }
  return found;
}

static void readLayer(const LayerSummary &layer, ImportedModel &model, WeightFile &file,
                      Diagnostics &diagnostics) {
  std::string group = "model_weights/" + layer.name;
  std::vector<std::string> datasets = file.datasets(group);
  if (datasets.size() != layer.variables.size()) {
    (void)diagnostics.add("layer " + quoted(layer.name) + " has " +
                          std::to_string(layer.variables.size()) + " variables, but " +
                          quoted(group) + " of the file has " + std::to_string(datasets.size()));
    return;
  }
  for (const std::string &symbol : layer.variables) {
    auto variable = model.module->lookupSymbol<VariableOp>(symbol);
    std::string dataset = bestFit(symbol, datasets), problem;
    if (dataset.empty()) {
      (void)diagnostics.add("variable " + quoted(symbol) + ": nothing in " + quoted(group) +
                            " of the file is clearly its value; save the model as .keras");
      continue;
    }
    auto type = cast<RankedTensorType>(variable.getType());
    if (auto data = file.read(dataset, type, problem))
      model.weights.push_back({symbol, type, std::move(*data)});
    else
      (void)diagnostics.add("variable " + quoted(symbol) + ": dataset " + quoted(dataset) + " " +
                            problem);
  }
}

static void readWeights(WeightFile &file, ImportedModel &model, Diagnostics &diagnostics) {
  for (const LayerSummary &layer : model.layers)
    readLayer(layer, model, file, diagnostics);
}

/// The optimizer's variables, which an archive numbers.
static void readOptimizer(WeightFile &file, ImportedModel &model, Diagnostics &diagnostics) {
  const std::string group = "optimizer_weights";
  auto names = file.names(group, "weight_names");
  if (!names && file.members(group).value_or(0) != 0)
    (void)diagnostics.add(quoted(group) + " of the file has no attribute 'weight_names' that says "
                                          "their order; save the model as .keras");
  for (const std::string &name : names.value_or(std::vector<std::string>())) {
    std::string path = group + "/" + name, problem;
    RankedTensorType type = file.typeOf(*model.module->getContext(), path, problem);
    auto data = type ? file.read(path, type, problem) : std::nullopt;
    if (!data) {
      (void)diagnostics.add("optimizer variable " + quoted(name) + ": dataset " + quoted(path) +
                            " " + problem);
      return;
    }
    std::string number = std::to_string(model.optimizerState.size());
    model.optimizerState.push_back({"optimizer/vars/" + number, type, std::move(*data)});
  }
}

static void readAll(WeightFile &file, ImportedModel &model, Diagnostics &diagnostics) {
  readWeights(file, model, diagnostics);
  readOptimizer(file, model, diagnostics);
}

static void warnOfLostMemory(MLIRContext &context) {
  emitWarning(UnknownLoc::get(&context))
      << "what the optimizer of Keras 2 remembers is not read: training begins with a fresh one; "
         "load the model with Keras 3 and save it as .keras to keep what can be kept";
}

FailureOr<ImportedModel> importLegacyFile(MLIRContext &context, std::string bytes,
                                          const std::string &name, Diagnostics &diagnostics) {
  std::optional<Attributes> attributes = readAttributes(bytes);
  if (!attributes) {
    (void)diagnostics.add("this HDF5 file is truncated or corrupt");
    return diagnostics.report();
  }
  std::string problem;
  std::optional<std::string> config = makeConfig(*attributes, problem);
  if (!config) {
    (void)diagnostics.add(problem);
    return diagnostics.report();
  }
  FailureOr<ImportedModel> model = importConfig(context, std::move(*config), name, diagnostics);
  if (failed(model))
    return failure();
  bool old = isKeras2(*attributes);
  bool loses = old && attributes->training && hasMembersIsolated(bytes, "optimizer_weights");
  readWeightsIsolated(std::move(bytes), "this HDF5 file", *model, diagnostics,
                      old ? readWeights : readAll);
  if (failed(diagnostics.report()))
    return failure();
  if (loses)
    warnOfLostMemory(context);
  return model;
}

} // namespace formwork::keras
