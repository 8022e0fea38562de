// Optimizer, loss and metrics of a model, with what the command line puts in their place.
#pragma once

#include "frontend/Model.h"

#include <optional>

namespace formwork {

/// Each is a name that Keras knows ("adam", "mse", "accuracy") or Keras's JSON of an object;
/// metrics may be several names with commas between them. Empty: as the model has it.
struct CompileSettings {
  std::string optimizer, loss, metrics;
  std::optional<double> learningRate;

  bool empty() const {
    return optimizer.empty() && loss.empty() && metrics.empty() && !learningRate;
  }
};

/// Puts `settings` into the model's compile_config and its mirror, fw.training. It is an error if a
/// setting cannot be read, or if in the end there is no optimizer or no loss.
mlir::LogicalResult applyCompileSettings(ImportedModel &model, const CompileSettings &settings);

} // namespace formwork
