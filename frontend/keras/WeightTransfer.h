// What a process of its own has read of a weight file, on its way to the one that asked.
#pragma once

#include "frontend/Diagnostics.h"
#include "frontend/Model.h"
#include "frontend/keras/Weights.h"

namespace formwork::keras {

/// What a reader takes from a file: weights and optimizer state into the model, and what is wrong.
using WeightReader = llvm::function_ref<void(WeightFile &, ImportedModel &, Diagnostics &)>;

/// Reads a weight file in a process of its own. `what` is the file, for diagnostics.
void readWeightsIsolated(std::string bytes, const std::string &what, ImportedModel &model,
                         Diagnostics &diagnostics, WeightReader read);

/// Whether a group of the file is there and has members; false if the file is damaged.
bool hasMembersIsolated(const std::string &bytes, const std::string &group);

/// Attributes of the file's root, each null if it is not there; nothing if the file is damaged.
std::optional<std::vector<std::optional<std::string>>>
readAttributesIsolated(const std::string &bytes, llvm::ArrayRef<const char *> names);

} // namespace formwork::keras
