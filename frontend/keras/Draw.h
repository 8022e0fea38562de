// A model's layers as plot_model draws them.
#pragma once

#include "frontend/Diagram.h"
#include "frontend/keras/ModuleState.h"

namespace formwork::keras {

/// Every layer once, however often it is called; models inside models are frames. Of a module that
/// was built with `state`.
Diagram draw(ModuleState &state, const Graph &graph);

} // namespace formwork::keras
