// Keras 3's own formats.
#pragma once

#include "frontend/Diagnostics.h"
#include "frontend/Model.h"

namespace formwork::keras {

/// A `.keras` archive.
mlir::FailureOr<ImportedModel> importArchive(mlir::MLIRContext &context, std::string bytes,
                                             const std::string &name, Diagnostics &diagnostics);

/// The JSON of `model.to_json()`: no weights, they come from the declared initializers.
mlir::FailureOr<ImportedModel> importConfig(mlir::MLIRContext &context, std::string text,
                                            const std::string &name, Diagnostics &diagnostics);

} // namespace formwork::keras
