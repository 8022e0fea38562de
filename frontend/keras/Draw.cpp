// Boxes for layers, lines for what they read. A model inside a model is entered at its inputs and
// left at its outputs.
#include "frontend/keras/Draw.h"

#include <algorithm>

namespace formwork::keras {

namespace {
class Artist {
public:
  explicit Artist(ModuleState &state) : state(state) {}

  unsigned addFrame(const std::string &name, unsigned outer);
  void drawBoxes(const Graph &graph, unsigned frame);
  void drawLines(const Graph &graph);
  Diagram finish();

private:
  ModuleState &state;
  Diagram diagram;
  std::map<const Layer *, unsigned> boxes;

  Diagram::Shape shapeOf(const Graph &graph, const TensorRef &tensor);
  unsigned origin(const Graph &graph, const TensorRef &tensor);
  void drawCall(const Graph &graph, const Call &call);
  const Port &portOf(const Graph &model, const Call &call, size_t input);
};
} // namespace

static Diagram::Shape inputShape(const Layer &input) {
  Diagram::Shape shape;
  for (const Json &size : *input.batchShape->array())
    shape.push_back(size.integer().value_or(-1));
  return shape;
}

unsigned Artist::addFrame(const std::string &name, unsigned outer) {
  diagram.frames.push_back({name, outer});
  return unsigned(diagram.frames.size() - 1);
}

void Artist::drawBoxes(const Graph &graph, unsigned frame) {
  for (const Layer &layer : graph.layers) {
    if (layer.model) {
      drawBoxes(*layer.model, addFrame(layer.name, frame));
      continue;
    }
    Diagram::Box box{layer.name, layer.className, {}, {}, frame};
    if (isInputLayer(layer))
      box.outputs = {inputShape(layer)};
    else
      box.outputs = state.outputShapes(layer);
    boxes[&layer] = unsigned(diagram.boxes.size());
    diagram.boxes.push_back(std::move(box));
  }
}

Diagram::Shape Artist::shapeOf(const Graph &graph, const TensorRef &tensor) {
  const Layer &layer = graph.layers[tensor.layer];
  if (isInputLayer(layer))
    return inputShape(layer);
  const auto &shapes = state.outputShapes(layer);
  return tensor.tensor < shapes.size() ? shapes[tensor.tensor] : Diagram::Shape();
}

/// The box that a tensor comes out of.
unsigned Artist::origin(const Graph &graph, const TensorRef &tensor) {
  const Layer &layer = graph.layers[tensor.layer];
  return layer.model ? origin(*layer.model, layer.model->outputs[tensor.tensor].tensor)
                     : boxes.at(&layer);
}

/// What an inner model takes the call's input for: by name from a dictionary, else by position.
const Port &Artist::portOf(const Graph &model, const Call &call, size_t input) {
  for (const Port &port : model.inputs)
    if (!call.keys.empty() && port.name == call.keys[input])
      return port;
  return model.inputs[std::min(input, model.inputs.size() - 1)];
}

void Artist::drawCall(const Graph &graph, const Call &call) {
  const Layer &layer = graph.layers[call.layer];
  for (auto [index, input] : llvm::enumerate(call.inputs)) {
    const Layer *reader = &layer;
    if (layer.model)
      reader = &layer.model->layers[portOf(*layer.model, call, index).tensor.layer];
    Diagram::Box &box = diagram.boxes[boxes.at(reader)];
    if (call.node == 0 && !layer.model)
      box.inputs.push_back(shapeOf(graph, input));
    diagram.lines.push_back({origin(graph, input), boxes.at(reader)});
  }
  if (layer.model) // it may be given masks, which none of its inputs alone reads
    return;
  for (const CallArgument &argument : call.further)
    for (const TensorRef &tensor : argument.tensors) {
      if (call.node == 0)
        diagram.boxes[boxes.at(&layer)].inputs.push_back(shapeOf(graph, tensor));
      diagram.lines.push_back({origin(graph, tensor), boxes.at(&layer)});
    }
}

void Artist::drawLines(const Graph &graph) {
  for (const Layer &layer : graph.layers)
    if (layer.model)
      drawLines(*layer.model);
  for (const Call &call : graph.calls)
    drawCall(graph, call);
}

Diagram Artist::finish() {
  std::sort(diagram.lines.begin(), diagram.lines.end());
  diagram.lines.erase(std::unique(diagram.lines.begin(), diagram.lines.end()), diagram.lines.end());
  return std::move(diagram);
}

Diagram draw(ModuleState &state, const Graph &graph) {
  Artist artist(state);
  artist.drawBoxes(graph, artist.addFrame(graph.name, 0));
  artist.drawLines(graph);
  return artist.finish();
}

} // namespace formwork::keras
