// Reads Keras 3's model configuration: layers with their arguments checked, Sequential chains and
// Functional graphs, models inside models.
//
// Nothing that a file stores as code is ever looked into: it is refused by name.
#include "frontend/keras/Connections.h"
#include "frontend/keras/Graph.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringSwitch.h"

#include <set>

using namespace mlir;

namespace formwork::keras {

bool isInputLayer(const Layer &layer) { return layer.className == "InputLayer"; }

/// A function of keras.ops that a functional model calls, such as those that make masks.
static bool isOperation(const Json &object) {
  return object.text("module").substr(0, 14) == "keras.src.ops.";
}

std::string kindName(const Json &object) {
  return (isOperation(object) ? "ops." : "") + std::string(object.text("class_name"));
}

namespace {
class Reader {
public:
  Reader(MLIRContext &context, Diagnostics &diagnostics)
      : context(context), diagnostics(diagnostics) {}

  std::unique_ptr<Graph> readModel(const Json &object);

private:
  MLIRContext &context;
  Diagnostics &diagnostics;

  bool readLayers(const Json &config, Graph &graph);
  bool readLayer(const Json &object, Layer &layer);
  void readClass(Layer &layer);
  void readArguments(Layer &layer);
  void readCommon(Layer &layer);
  void readInput(Layer &layer);
  FloatType readDtype(const Layer &layer);
  void addInputFromBuildShape(const Json &config, Graph &graph);

  LogicalResult problem(const Layer &layer, const Json &at, std::string message) {
    return diagnostics.addLayer(at, layer.name, layer.className, std::move(message));
  }
};
} // namespace

//===--- classes ---------------------------------------------------------------------------------

static bool isModelClass(StringRef className) {
  return className == "Sequential" || className == "Functional" || className == "Model";
}

/// A class that the user registered, of whatever name.
static bool isCustom(const Json &object) {
  std::string_view registered = object.text("registered_name");
  std::string_view module = object.text("module");
  return (!registered.empty() && registered != object.text("class_name")) ||
         (object.find("module") && module != "keras" && module.substr(0, 6) != "keras.");
}

void Reader::readClass(Layer &layer) {
  if (layer.className == "Lambda")
    (void)problem(layer, *layer.object,
                  "a Lambda layer is Python code, which is never run; write it with other layers");
  else if (isCustom(*layer.object))
    (void)problem(layer, *layer.object, "custom classes are not supported");
  else if (isModelClass(layer.className))
    layer.model = readModel(*layer.object);
  else if (isInputLayer(layer))
    readInput(layer);
  else if ((layer.kind = lookUpLayer(kindName(*layer.object))))
    readArguments(layer);
  else
    (void)problem(layer, *layer.object, "layers of this class are not supported");
}

/// Those that hold a wrapper's layers are layers of their own.
void Reader::readArguments(Layer &layer) {
  std::vector<ArgumentTable::Problem> problems = layer.kind->arguments.check(*layer.config);
  for (const ArgumentTable::Problem &wrong : problems)
    (void)problem(layer, *wrong.value, wrong.message);
  if (!problems.empty())
    return;
  for (const LayerClass::Wrapped &wrapped : layer.kind->wraps) {
    const Json &object = *layer.config->find(std::string_view(wrapped.argument));
    auto inner = std::make_unique<Layer>();
    if (!readLayer(object, *inner))
      continue;
    if (isInputLayer(*inner))
      (void)problem(layer, object, "it cannot wrap an InputLayer");
    layer.inner.push_back({wrapped.member.str(), std::move(inner)});
  }
}

//===--- inputs ----------------------------------------------------------------------------------

/// The name of a dtype policy: "float32", or {"class_name": "DTypePolicy", "config": {"name":
/// ...}}.
static std::string_view policyName(const Json &dtype) {
  if (const std::string *name = dtype.string())
    return *name;
  const Json *config = dtype.find("config");
  return dtype.text("class_name") == "DTypePolicy" && config ? config->text("name") : "";
}

static const ArgumentTable &inputArguments() {
  static const Argument rows[] = {
      {"batch_shape", isBatchShape, ""},
      {"sparse", onlyDefault, "false"},
      {"ragged", onlyDefault, "false"},
      {"optional", onlyDefault, "false"},
  };
  static const ArgumentTable table(rows);
  return table;
}

static Type inputType(MLIRContext &context, std::string_view dtype) {
  Builder builder(&context);
  return llvm::StringSwitch<Type>(dtype)
      .Case("float32", builder.getF32Type())
      .Case("float64", builder.getF64Type())
      .Case("int32", builder.getI32Type())
      .Case("int64", builder.getI64Type())
      .Case("bool", builder.getI1Type())
      .Default(nullptr);
}

void Reader::readInput(Layer &layer) {
  for (const ArgumentTable::Problem &wrong : inputArguments().check(*layer.config))
    (void)problem(layer, *wrong.value, wrong.message);
  layer.batchShape = layer.config->find("batch_shape");
  const Json *dtype = layer.config->find("dtype");
  layer.inputType = inputType(context, dtype ? policyName(*dtype) : "float32");
  if (!layer.inputType)
    (void)problem(layer, *dtype,
                  "an input of dtype " + quoted(policyName(*dtype)) +
                      " is not supported; float32, float64, int32, int64 and bool "
                      "are");
}

//===--- what all layers have --------------------------------------------------------------------

FloatType Reader::readDtype(const Layer &layer) {
  Builder builder(&context);
  const Json *dtype = layer.config->find("dtype");
  if (!dtype || dtype->isNull() || policyName(*dtype) == "float32" || isInputLayer(layer))
    return builder.getF32Type();
  if (policyName(*dtype) == "float64")
    return builder.getF64Type();
  std::string_view name = policyName(*dtype);
  (void)problem(layer, *dtype,
                "dtype policy " + quoted(name.empty() ? dtype->text("class_name") : name) +
                    " is not supported; float32 and float64 are");
  return builder.getF32Type();
}

void Reader::readCommon(Layer &layer) {
  if (!isOperation(*layer.object))
    layer.dtype = readDtype(layer);
  if (const Json *trainable = layer.config->find("trainable")) {
    if (auto flag = trainable->boolean())
      layer.trainable = *flag;
    else
      (void)problem(layer, *trainable, "argument 'trainable' must be true or false");
  }
}

bool Reader::readLayer(const Json &object, Layer &layer) {
  layer.object = &object;
  layer.className = object.text("class_name");
  layer.config = object.find("config");
  if (!object.object() || layer.className.empty() || !layer.config || !layer.config->object()) {
    (void)diagnostics.add(object, "a layer must be an object with class_name and config");
    return false;
  }
  // In a Functional model the name stands beside the class, in a Sequential one in its arguments.
  std::string_view name = object.text("name");
  layer.name = name.empty() ? layer.config->text("name") : name;
  if (layer.name.empty()) {
    (void)problem(layer, object, "this layer has no name");
    return false;
  }
  if (!object.find("module"))
    (void)problem(layer, object,
                  "this is the format of Keras 2 or older; load the model with Keras 3 and save it "
                  "again");
  readCommon(layer);
  readClass(layer);
  return true;
}

//===--- models ----------------------------------------------------------------------------------

/// False if not even their names are known.
bool Reader::readLayers(const Json &config, Graph &graph) {
  const Json *list = config.find("layers");
  if (!list || !list->array() || list->array()->empty()) {
    (void)diagnostics.add(list ? *list : config, "a model must have a list of layers");
    return false;
  }
  bool wellFormed = true;
  std::set<std::string> names;
  for (const Json &object : *list->array()) {
    Layer layer;
    bool named = readLayer(object, layer);
    if (named && !names.insert(layer.name).second) {
      (void)problem(layer, object, "another layer of this model has the same name");
      named = false;
    }
    wellFormed &= named;
    graph.layers.push_back(std::move(layer));
  }
  return wellFormed;
}

/// A Sequential model may know its input only from having been built.
void Reader::addInputFromBuildShape(const Json &config, Graph &graph) {
  if (graph.layers.empty() || isInputLayer(graph.layers.front()))
    return;
  const Layer &first = graph.layers.front();
  const Json *shape = config.find("build_input_shape");
  if (!shape || !shape->array()) {
    (void)problem(first, *first.object,
                  "this model's input has no shape; begin it with keras.Input(shape=...), or call "
                  "it once before saving");
    return;
  }
  Layer input;
  input.name = "input_layer";
  input.className = "InputLayer";
  input.object = &config;
  input.config = &config;
  input.dtype = first.dtype;
  input.batchShape = shape;
  input.inputType = first.dtype;
  graph.layers.insert(graph.layers.begin(), std::move(input));
}

std::unique_ptr<Graph> Reader::readModel(const Json &object) {
  auto graph = std::make_unique<Graph>();
  std::string_view className = object.text("class_name");
  const Json *config = object.find("config");
  if (!config || !config->object() || !config->find("layers")) {
    (void)diagnostics.add(object, className == "Model"
                                      ? "a model that is a class of its own cannot be read from "
                                        "its configuration; only Sequential and Functional can"
                                      : "a model must have a config with layers");
    return nullptr;
  }
  graph->name = config->text("name");
  graph->isSequential = className == "Sequential";
  // Keras forgets a Sequential's own flag when it loads one; its layers have theirs.
  if (const Json *trainable = config->find("trainable"); trainable && !graph->isSequential)
    graph->trainable = trainable->boolean().value_or(true);
  if (!readLayers(*config, *graph))
    return nullptr;
  if (graph->isSequential)
    addInputFromBuildShape(*config, *graph);
  if (failed(graph->isSequential ? connectChain(*graph, diagnostics)
                                 : connectGraph(*config, *graph, diagnostics)))
    return nullptr;
  return graph;
}

//===--- stored code -----------------------------------------------------------------------------

/// Wherever it stands: an activation, an initializer, a loss. Lambda layers name themselves.
static void refuseCode(const Json &value, Diagnostics &diagnostics) {
  std::string_view className = value.text("class_name");
  if (className == "__lambda__" || className == "__bytes__")
    (void)diagnostics.add(value, "this is Python code stored in the file (" + quoted(className) +
                                     "), which is never run; use a named function of Keras");
  else if (className == "Lambda")
    return;
  else if (const Json::Array *elements = value.array())
    for (const Json &element : *elements)
      refuseCode(element, diagnostics);
  else if (const Json::Object *members = value.object())
    for (const Json::Member &member : *members)
      refuseCode(member.value, diagnostics);
}

std::unique_ptr<Graph> readGraph(MLIRContext &context, const Json &root, Diagnostics &diagnostics) {
  size_t before = diagnostics.count();
  refuseCode(root, diagnostics);
  std::string_view className = root.text("class_name");
  if (!root.object() || className.empty()) {
    (void)diagnostics.add("this JSON is no Keras model: it has no class_name; write one with "
                          "model.to_json()");
    return nullptr;
  }
  if (!isModelClass(className) || isCustom(root)) {
    (void)diagnostics.add(root, "models of class " + quoted(className) +
                                    " are not supported; Sequential and Functional are");
    return nullptr;
  }
  std::unique_ptr<Graph> graph = Reader(context, diagnostics).readModel(root);
  return diagnostics.count() == before ? std::move(graph) : nullptr;
}

} // namespace formwork::keras
