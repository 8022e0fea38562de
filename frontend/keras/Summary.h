// A model's layers as model.summary() lists them.
#pragma once

#include "frontend/Model.h"
#include "frontend/keras/ModuleState.h"

namespace formwork::keras {

/// One row for each layer that is used, of a module that was built with `state`.
std::vector<LayerSummary> summarize(ModuleState &state, const Graph &graph);

} // namespace formwork::keras
