// From configuration and weight file to an imported model.
#include "frontend/keras/Keras.h"

#include "frontend/keras/Archive.h"
#include "frontend/keras/Attributes.h"
#include "frontend/keras/Draw.h"
#include "frontend/keras/Emitter.h"
#include "frontend/keras/Summary.h"
#include "frontend/keras/WeightTransfer.h"
#include "frontend/keras/Weights.h"

#include "ir/Dialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace formwork::keras {

// Optimizer, losses and metrics are a few dozen values; attributes are large beside their JSON.
static constexpr size_t mostTrainingValues = 10'000;

static size_t countValues(const Json &value) {
  size_t count = 1;
  if (const Json::Array *elements = value.array())
    for (const Json &element : *elements)
      count += countValues(element);
  if (const Json::Object *members = value.object())
    for (const Json::Member &member : *members)
      count += countValues(member.value);
  return count;
}

/// compile_config as the module's fw.training, if the model was compiled.
static void addTraining(const Json &root, ImportedModel &model, Diagnostics &diagnostics) {
  const Json *training = root.find("compile_config");
  if (!training || !training->object() || training->object()->empty())
    return;
  if (countValues(*training) > mostTrainingValues) {
    (void)diagnostics.add(*training, "this compile_config is too large");
    return;
  }
  model.compileConfig = training->print();
  ModuleOp module = *model.module;
  module->setAttr("fw.training", attributeOf(*module.getContext(), *training));
}

FailureOr<ImportedModel> importConfig(MLIRContext &context, std::string text,
                                      const std::string &name, Diagnostics &diagnostics) {
  context.loadDialect<FwDialect, func::FuncDialect>();
  std::variant<Json, JsonError> parsed = parseJson(text);
  if (auto *error = std::get_if<JsonError>(&parsed)) {
    diagnostics.setText(text, nullptr);
    (void)diagnostics.addAt(error->offset, "this is no valid JSON: " + error->message);
    return diagnostics.report();
  }
  const Json &root = std::get<Json>(parsed);
  diagnostics.setText(text, &root);
  ModuleState state(context, diagnostics);
  std::unique_ptr<Graph> graph = readGraph(context, root, diagnostics);
  if (!graph)
    return diagnostics.report();
  ImportedModel model;
  model.module = emitModule(state, *graph, name);
  if (!model.module)
    return diagnostics.report();
  model.layers = summarize(state, *graph);
  model.diagram = draw(state, *graph);
  addTraining(root, model, diagnostics);
  if (failed(diagnostics.report()))
    return failure();
  model.config = std::move(text);
  return model;
}

//===--- weights ---------------------------------------------------------------------------------

/// "layers/dense/vars" of "layers/dense/vars/0".
static std::string groupOf(StringRef path) { return path.rsplit('/').first.str(); }

static void readVariables(ImportedModel &model, WeightFile &file, Diagnostics &diagnostics) {
  std::map<std::string, uint64_t> expected;
  for (auto variable : model.module->getOps<VariableOp>()) {
    StringRef path = variable->getAttrOfType<StringAttr>("path").getValue();
    bool isOurs = variable->getAttrOfType<StringAttr>("role").getValue() != "weight";
    std::string problem;
    auto type = cast<RankedTensorType>(variable.getType());
    auto data = file.read(path.str(), type, problem);
    if (data)
      model.weights.push_back({variable.getSymName().str(), type, std::move(*data)});
    else if (!isOurs)
      (void)diagnostics.add("variable " + quoted(variable.getSymName()) + ": dataset " +
                            quoted(path) + " of model.weights.h5 " + problem);
    if (!isOurs)
      ++expected[groupOf(path)];
  }
  for (auto &[group, count] : expected)
    if (std::optional<uint64_t> found = file.members(group); found && *found > count)
      (void)diagnostics.add("model.weights.h5 has " + std::to_string(*found) + " variables in " +
                            quoted(group) + ", but the model has only " + std::to_string(count));
}

/// optimizer/vars/0, 1, ...
static void readOptimizer(ImportedModel &model, WeightFile &file, Diagnostics &diagnostics) {
  const std::string group = "optimizer/vars";
  uint64_t count = file.members(group).value_or(0);
  for (uint64_t i = 0; i < count; ++i) {
    std::string path = group + "/" + std::to_string(i), problem;
    RankedTensorType type = file.typeOf(*model.module->getContext(), path, problem);
    auto data = type ? file.read(path, type, problem) : std::nullopt;
    if (!data) {
      (void)diagnostics.add("optimizer variable " + std::to_string(i) + ": dataset " +
                            quoted(path) + " of model.weights.h5 " + problem);
      return;
    }
    model.optimizerState.push_back({path, type, std::move(*data)});
  }
}

static void readWeights(WeightFile &file, ImportedModel &model, Diagnostics &diagnostics) {
  readVariables(model, file, diagnostics);
  readOptimizer(model, file, diagnostics);
}

FailureOr<ImportedModel> importArchive(MLIRContext &context, std::string bytes,
                                       const std::string &name, Diagnostics &diagnostics) {
  std::variant<Archive, std::string> unpacked = unpack(std::move(bytes));
  if (auto *problem = std::get_if<std::string>(&unpacked)) {
    (void)diagnostics.add(std::move(*problem));
    return diagnostics.report();
  }
  auto &archive = std::get<Archive>(unpacked);
  FailureOr<ImportedModel> model =
      importConfig(context, std::move(archive.config), name, diagnostics);
  if (failed(model))
    return failure();
  readWeightsIsolated(std::move(archive.weights), "its model.weights.h5", *model, diagnostics,
                      readWeights);
  if (failed(diagnostics.report()))
    return failure();
  return model;
}

} // namespace formwork::keras
