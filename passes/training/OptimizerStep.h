// A step of the optimizer: from the gradients of the trainable weights to their next values.
#pragma once

#include "passes/training/EntryFunction.h"
#include "passes/training/TrainingState.h"

namespace formwork {

/// Moves the weights, slots and counters of `state`. A weight without a gradient (null) stays as
/// it is. A step that moves nothing is not counted.
void buildOptimizerStep(const Optimizer &optimizer, const TrainingState &state,
                        mlir::ValueRange gradients, EntryFunction &entry);

/// What training ends with, where weights are averaged: the averages replace them.
void buildFinalize(const TrainingState &state, EntryFunction &entry);

} // namespace formwork
