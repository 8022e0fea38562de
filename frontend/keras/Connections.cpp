// Connects layers: parses the calls of a Functional model, drops what no output needs, and puts the
// rest into an order in which every call comes after what it reads.
#include "frontend/keras/Connections.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"

#include <map>
#include <queue>

using namespace mlir;

namespace formwork::keras {

std::vector<TensorRef *> Call::tensors() {
  std::vector<TensorRef *> all;
  for (TensorRef &tensor : inputs)
    all.push_back(&tensor);
  for (CallArgument &argument : further)
    for (TensorRef &tensor : argument.tensors)
      all.push_back(&tensor);
  return all;
}

LogicalResult connectChain(Graph &graph, Diagnostics &diagnostics) {
  size_t before = diagnostics.count();
  auto problem = [&](const Layer &layer, std::string message) {
    (void)diagnostics.addLayer(*layer.object, layer.name, layer.className, std::move(message));
  };
  for (auto [i, layer] : llvm::enumerate(graph.layers)) {
    if (isInputLayer(layer) != (i == 0))
      problem(layer, i == 0 ? "a Sequential model must begin with an InputLayer"
                            : "a Sequential model has only one InputLayer, its first layer");
    else if (i == 0)
      graph.inputs.push_back({layer.name, {0, 0, 0}});
    else
      graph.calls.push_back({unsigned(i), 0, {{unsigned(i) - 1, 0, 0}}, {}, false, {}});
    if (layer.model && (layer.model->inputs.size() != 1 || layer.model->outputs.size() != 1))
      problem(layer, "a model inside a Sequential must have one input and one output");
  }
  if (graph.layers.size() == 1)
    problem(graph.layers.front(), "nothing follows this model's input");
  graph.outputs.push_back({graph.layers.back().name, {unsigned(graph.layers.size()) - 1, 0, 0}});
  return success(diagnostics.count() == before);
}

namespace {
/// The connections of one Functional model, layer by layer.
class Connector {
public:
  Connector(const Json &config, Graph &graph, Diagnostics &diagnostics)
      : config(config), graph(graph), diagnostics(diagnostics) {
    for (auto [i, layer] : llvm::enumerate(graph.layers))
      byName[layer.name] = unsigned(i);
  }

  LogicalResult run();

private:
  const Json &config;
  Graph &graph;
  Diagnostics &diagnostics;
  llvm::StringMap<unsigned> byName;
  std::vector<std::vector<Call>> calls; // [layer][node]
  std::vector<std::vector<const Json *>> positions;

  LogicalResult problem(unsigned layer, const Json &at, std::string message) {
    return diagnostics.addLayer(at, graph.layers[layer].name, graph.layers[layer].className,
                                std::move(message));
  }

  void readCalls(unsigned layer);
  LogicalResult readCall(const Json &node, Call &call);
  LogicalResult readArgument(const Json &value, StringRef name, Call &call);
  LogicalResult readTensors(const Json &value, Call &call, unsigned depth);
  LogicalResult readHistory(const Json &value, TensorRef &tensor);
  LogicalResult readPorts(const Json &value, std::vector<Port> &ports, std::string_view key);
  void readInputs();
  void readOutputs();
  bool check(const Json &at, const TensorRef &tensor);
  void checkReferences();
  std::vector<std::vector<bool>> usedCalls();
  void order(const std::vector<std::vector<bool>> &used);
  void reportCycle(const std::map<std::pair<unsigned, unsigned>, unsigned> &waiting);
  void dropUnused(const std::vector<std::vector<bool>> &used);
};
} // namespace

//===--- reading ---------------------------------------------------------------------------------

/// ["layer", node, tensor], as keras_history and input_layers have it.
LogicalResult Connector::readHistory(const Json &value, TensorRef &tensor) {
  const Json::Array *parts = value.array();
  constexpr int64_t most = 1 << 20;
  auto index = [&](size_t i) {
    auto number = (*parts)[i].integer();
    return number && *number >= 0 && *number < most ? *number : -1;
  };
  if (!parts || parts->size() != 3 || !(*parts)[0].string() || index(1) < 0 || index(2) < 0)
    return diagnostics.add(value, "expected [layer name, call, tensor]");
  auto layer = byName.find(*(*parts)[0].string());
  if (layer == byName.end())
    return diagnostics.add(value, "this model has no layer " + quoted(*(*parts)[0].string()));
  tensor = {layer->second, unsigned(index(1)), unsigned(index(2))};
  return success();
}

/// A tensor, or tensors in lists and dictionaries, which Keras flattens by sorted key.
LogicalResult Connector::readTensors(const Json &value, Call &call, unsigned depth) {
  std::string_view className = value.text("class_name");
  if (className == "__keras_tensor__") {
    const Json *inner = value.find("config");
    const Json *history = inner ? inner->find("keras_history") : nullptr;
    call.inputs.emplace_back();
    return readHistory(history ? *history : value, call.inputs.back());
  }
  const Json *items = className == "__tuple__" ? value.find("items") : &value;
  if (items && items->array()) {
    call.isList |= depth == 0;
    for (const Json &element : *items->array())
      if (failed(readTensors(element, call, depth + 1)))
        return failure();
    return success();
  }
  if (!value.object() || !className.empty() || depth > 0)
    return problem(call.layer, value, "it is called with something that is no tensor");
  std::map<std::string, const Json *> sorted;
  for (const Json::Member &member : *value.object())
    sorted[member.key] = &member.value;
  for (auto &[key, tensor] : sorted) {
    if (failed(readTensors(*tensor, call, depth + 1)))
      return failure();
    call.keys.resize(call.inputs.size(), key);
  }
  return success();
}

/// Whether a value is a tensor, or begins with one.
static bool holdsTensors(const Json &value, unsigned depth = 0) {
  std::string_view className = value.text("class_name");
  const Json *items = className == "__tuple__" ? value.find("items") : &value;
  if (items && items->array() && depth < 4)
    return llvm::any_of(*items->array(),
                        [&](const Json &item) { return holdsTensors(item, depth + 1); });
  return className == "__keras_tensor__";
}

/// What the layer's call takes after its first argument, in Python's order.
static ArrayRef<StringLiteral> furtherNames(const Layer &layer) {
  static const StringLiteral ofModels[] = {"training", "mask"};
  if (layer.model)
    return ofModels;
  return layer.kind ? layer.kind->callArguments : ArrayRef<StringLiteral>();
}

/// `training` is decided by whoever calls the whole model, and overrides what stands here.
LogicalResult Connector::readArgument(const Json &value, StringRef name, Call &call) {
  if (name == "training" || value.isNull())
    return success();
  if (!llvm::is_contained(furtherNames(graph.layers[call.layer]), name))
    return problem(call.layer, value, "call argument " + quoted(name) + " is not supported");
  CallArgument argument{name.str(), {}, nullptr};
  if (holdsTensors(value)) {
    Call list;
    list.layer = call.layer;
    if (failed(readTensors(value, list, 0)))
      return failure();
    argument.tensors = std::move(list.inputs);
  } else {
    argument.literal = &value;
  }
  call.further.push_back(std::move(argument));
  return success();
}

LogicalResult Connector::readCall(const Json &node, Call &call) {
  const Json *args = node.find("args"), *kwargs = node.find("kwargs");
  if (!args || !args->array())
    return problem(call.layer, node, "its inbound_nodes are not in the format of Keras 3");
  ArrayRef<StringLiteral> names = furtherNames(graph.layers[call.layer]);
  size_t count = args->array()->size();
  if (count == 0 || count > 1 + names.size())
    return problem(call.layer, node,
                   "it is called with " + std::to_string(count) + " positional arguments; " +
                       (names.empty()
                            ? "only one is"
                            : "from one to " + std::to_string(1 + names.size()) + " are") +
                       " supported");
  if (failed(readTensors(args->array()->front(), call, 0)))
    return failure();
  for (auto [value, name] : llvm::zip(llvm::drop_begin(*args->array()), names))
    if (failed(readArgument(value, name, call)))
      return failure();
  if (kwargs && kwargs->object())
    for (const Json::Member &member : *kwargs->object())
      if (failed(readArgument(member.value, member.key, call)))
        return failure();
  return success();
}

void Connector::readCalls(unsigned layer) {
  const Json *nodes = graph.layers[layer].object->find("inbound_nodes");
  if (!nodes || !nodes->array()) {
    (void)problem(layer, *graph.layers[layer].object, "its inbound_nodes are missing");
    return;
  }
  if (isInputLayer(graph.layers[layer])) {
    if (!nodes->array()->empty())
      (void)problem(layer, *nodes, "an InputLayer is not called");
    return;
  }
  for (const Json &node : *nodes->array()) {
    Call call;
    call.layer = layer;
    call.node = unsigned(calls[layer].size());
    (void)readCall(node, call);
    calls[layer].push_back(std::move(call));
    positions[layer].push_back(&node);
  }
}

//===--- inputs and outputs ----------------------------------------------------------------------

static bool isReference(const Json &value) {
  const Json::Array *parts = value.array();
  return parts && parts->size() == 3 && parts->front().string();
}

/// A structure of [layer, node, tensor]; a port is named after its key in a dictionary, else after
/// its layer.
LogicalResult Connector::readPorts(const Json &value, std::vector<Port> &ports,
                                   std::string_view key) {
  if (isReference(value)) {
    Port port;
    if (failed(readHistory(value, port.tensor)))
      return failure();
    port.name = key.empty() ? graph.layers[port.tensor.layer].name : std::string(key);
    ports.push_back(std::move(port));
    return success();
  }
  if (const Json::Array *elements = value.array()) {
    for (const Json &element : *elements)
      if (failed(readPorts(element, ports, key)))
        return failure();
    return success();
  }
  if (!value.object())
    return diagnostics.add(value, "expected [layer name, call, tensor]");
  std::map<std::string, const Json *> sorted;
  for (const Json::Member &member : *value.object())
    sorted[member.key] = &member.value;
  for (auto &[name, element] : sorted)
    if (failed(readPorts(*element, ports, name)))
      return failure();
  return success();
}

void Connector::readInputs() {
  const Json *list = config.find("input_layers");
  if (!list || failed(readPorts(*list, graph.inputs, ""))) {
    if (!list)
      (void)diagnostics.add(config, "a Functional model must have input_layers");
    return;
  }
  graph.hasDictionaryInputs = list->object();
  std::vector<bool> seen(graph.layers.size());
  for (const Port &input : graph.inputs) {
    unsigned layer = input.tensor.layer;
    if (!isInputLayer(graph.layers[layer]) || input.tensor.node || input.tensor.tensor)
      (void)problem(layer, *list, "it is listed as an input, but is no InputLayer");
    else if (seen[layer])
      (void)problem(layer, *list, "it is listed as an input twice");
    seen[layer] = true;
  }
  for (auto [i, layer] : llvm::enumerate(graph.layers))
    if (isInputLayer(layer) && !seen[i])
      (void)problem(unsigned(i), *layer.object, "this InputLayer is not among the model's inputs");
  if (graph.inputs.empty())
    (void)diagnostics.add(*list, "this model has no inputs");
}

/// Output names are unique: that is how losses, metrics and results refer to them.
static void makeUnique(std::vector<Port> &ports) {
  llvm::StringMap<unsigned> used;
  for (Port &port : ports)
    if (unsigned again = used[port.name]++)
      port.name += llvm::formatv("_{0}", again);
}

void Connector::readOutputs() {
  const Json *list = config.find("output_layers");
  if (!list || failed(readPorts(*list, graph.outputs, ""))) {
    if (!list)
      (void)diagnostics.add(config, "a Functional model must have output_layers");
    return;
  }
  for (Port &output : graph.outputs) {
    // Keras counts the call with which a Functional model was made, here and nowhere else.
    const Layer &layer = graph.layers[output.tensor.layer];
    size_t count = calls[output.tensor.layer].size();
    if (layer.model && !layer.model->isSequential && count)
      output.tensor.node = output.tensor.node ? output.tensor.node - 1 : unsigned(count) - 1;
    check(*list, output.tensor);
  }
  makeUnique(graph.outputs);
  if (graph.outputs.empty())
    (void)diagnostics.add(*list, "this model has no outputs");
}

//===--- checking --------------------------------------------------------------------------------

bool Connector::check(const Json &at, const TensorRef &tensor) {
  const Layer &layer = graph.layers[tensor.layer];
  size_t count = isInputLayer(layer) ? 1 : calls[tensor.layer].size();
  size_t outputs = layer.model  ? layer.model->outputs.size()
                   : layer.kind ? layer.kind->mostOutputs
                                : 1;
  if (tensor.node < count && tensor.tensor < outputs)
    return true;
  (void)diagnostics.add(at, "there is no tensor " + std::to_string(tensor.tensor) + " of call " +
                                std::to_string(tensor.node) + " of layer " + quoted(layer.name));
  return false;
}

void Connector::checkReferences() {
  for (unsigned layer = 0; layer < calls.size(); ++layer)
    for (auto [call, at] : llvm::zip_equal(calls[layer], positions[layer]))
      for (const TensorRef *input : call.tensors())
        check(*at, *input);
}

/// Which calls the outputs are computed from.
std::vector<std::vector<bool>> Connector::usedCalls() {
  std::vector<std::vector<bool>> used(calls.size());
  for (auto [flags, list] : llvm::zip_equal(used, calls))
    flags.resize(list.size());
  std::vector<TensorRef> work;
  for (const Port &output : graph.outputs)
    work.push_back(output.tensor);
  while (!work.empty()) {
    TensorRef tensor = work.back();
    work.pop_back();
    if (isInputLayer(graph.layers[tensor.layer]) || used[tensor.layer][tensor.node])
      continue;
    used[tensor.layer][tensor.node] = true;
    for (const TensorRef *input : calls[tensor.layer][tensor.node].tensors())
      work.push_back(*input);
  }
  return used;
}

//===--- order -----------------------------------------------------------------------------------

void Connector::reportCycle(const std::map<std::pair<unsigned, unsigned>, unsigned> &waiting) {
  std::vector<bool> named(graph.layers.size());
  for (auto &[call, count] : waiting)
    if (count && !named[call.first]) {
      named[call.first] = true;
      (void)problem(call.first, *positions[call.first][call.second],
                    "it is part of a cycle, or reads a layer that is");
    }
}

/// Of the calls whose inputs are there, the first in the configuration comes first.
void Connector::order(const std::vector<std::vector<bool>> &used) {
  using Key = std::pair<unsigned, unsigned>;
  std::map<Key, unsigned> waiting;
  std::map<Key, std::vector<Key>> readers;
  std::priority_queue<Key, std::vector<Key>, std::greater<>> ready;
  for (unsigned layer = 0; layer < calls.size(); ++layer)
    for (unsigned node = 0; node < calls[layer].size(); ++node) {
      if (!used[layer][node])
        continue;
      unsigned &count = waiting[{layer, node}];
      for (const TensorRef *input : calls[layer][node].tensors())
        if (!isInputLayer(graph.layers[input->layer])) {
          ++count;
          readers[{input->layer, input->node}].push_back({layer, node});
        }
      if (count == 0)
        ready.push({layer, node});
    }
  while (!ready.empty()) {
    Key key = ready.top();
    ready.pop();
    graph.calls.push_back(calls[key.first][key.second]);
    for (Key reader : readers[key])
      if (--waiting[reader] == 0)
        ready.push(reader);
  }
  if (graph.calls.size() != waiting.size())
    reportCycle(waiting);
}

/// Keras builds a model from what its outputs need; weights are counted among those layers.
void Connector::dropUnused(const std::vector<std::vector<bool>> &used) {
  std::vector<unsigned> newIndex(graph.layers.size());
  std::vector<Layer> kept;
  for (unsigned i = 0; i < graph.layers.size(); ++i) {
    newIndex[i] = unsigned(kept.size());
    if (isInputLayer(graph.layers[i]) || llvm::is_contained(used[i], true))
      kept.push_back(std::move(graph.layers[i]));
  }
  graph.layers = std::move(kept);
  for (Call &call : graph.calls) {
    call.layer = newIndex[call.layer];
    for (TensorRef *input : call.tensors())
      input->layer = newIndex[input->layer];
  }
  for (auto *ports : {&graph.inputs, &graph.outputs})
    for (Port &port : *ports)
      port.tensor.layer = newIndex[port.tensor.layer];
}

LogicalResult Connector::run() {
  size_t before = diagnostics.count();
  calls.resize(graph.layers.size());
  positions.resize(graph.layers.size());
  for (unsigned layer = 0; layer < graph.layers.size(); ++layer)
    readCalls(layer);
  readInputs();
  if (diagnostics.count() == before)
    checkReferences();
  readOutputs();
  if (diagnostics.count() != before)
    return failure();
  std::vector<std::vector<bool>> used = usedCalls();
  order(used);
  if (diagnostics.count() != before)
    return failure();
  dropUnused(used);
  return success();
}

LogicalResult connectGraph(const Json &config, Graph &graph, Diagnostics &diagnostics) {
  return Connector(config, graph, diagnostics).run();
}

} // namespace formwork::keras
