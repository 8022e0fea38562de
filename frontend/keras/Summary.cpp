// Counts parameters layer by layer; a model inside a model is one row with its sums.
#include "frontend/keras/Summary.h"

namespace formwork::keras {

static void addParameters(LayerSummary &row, ModuleState &state, const Layer &layer,
                          bool trainable) {
  if (layer.model)
    for (const Layer &inner : layer.model->layers)
      addParameters(row, state, inner, trainable);
  for (const InnerLayer &inner : layer.inner)
    addParameters(row, state, *inner.layer, trainable && layer.trainable);
  if (!layer.kind)
    return;
  for (const LayerVariable &variable : state.stateOf(layer).variables) {
    int64_t elements = variable.type.getNumElements();
    row.parameters += elements;
    row.variables.push_back(variable.symbol);
    row.trainable += trainable && variable.trainable ? elements : 0;
  }
}

/// An input is a layer of a functional model only; Keras shows it as a list.
static LayerSummary inputRow(const Layer &input) {
  LayerSummary row{input.name, input.className, {{}}};
  for (const Json &size : *input.batchShape->array())
    row.outputShapes.front().push_back(size.integer().value_or(-1));
  return row;
}

std::vector<LayerSummary> summarize(ModuleState &state, const Graph &graph) {
  std::vector<LayerSummary> rows;
  for (const Layer &layer : graph.layers) {
    if (isInputLayer(layer)) {
      if (!graph.isSequential)
        rows.push_back(inputRow(layer));
      continue;
    }
    LayerSummary row{layer.name, layer.className, state.outputShapes(layer)};
    addParameters(row, state, layer, graph.trainable);
    rows.push_back(std::move(row));
  }
  return rows;
}

} // namespace formwork::keras
