// How the layers of one model are connected.
#pragma once

#include "frontend/keras/Graph.h"

namespace formwork::keras {

/// A Sequential: each layer reads the one before it.
mlir::LogicalResult connectChain(Graph &graph, Diagnostics &diagnostics);

/// A Functional model: inbound_nodes, input_layers and output_layers of its configuration.
mlir::LogicalResult connectGraph(const Json &config, Graph &graph, Diagnostics &diagnostics);

} // namespace formwork::keras
