// What a process of its own has read of a weight file, on its way to the one that asked.
#pragma once

#include "frontend/Diagnostics.h"
#include "frontend/Model.h"
#include "runtime/keras_io/Isolated.h"

namespace formwork::keras {

/// Bytes that reading a file of `size` bytes may take.
uint64_t memoryForWeights(uint64_t size);

/// In the child: the model's weights and optimizer state, and what is wrong with the file.
void sendWeights(const ImportedModel &model, const Diagnostics &found, IsolatedWriter &out);

/// In the parent: adds them to the model, and what is wrong to `diagnostics`. False if the child
/// says what it cannot have read from `size` bytes, or names variables that the model has not.
bool receiveWeights(IsolatedReader &in, uint64_t size, ImportedModel &model,
                    Diagnostics &diagnostics);

} // namespace formwork::keras
