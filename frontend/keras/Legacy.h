// A whole model in one HDF5 file, as Keras 3 writes `model.save("x.h5")`: configuration in
// attributes, weights in a group for each layer.
#pragma once

#include "frontend/Diagnostics.h"
#include "frontend/Model.h"

namespace formwork::keras {

/// True if the bytes begin as an HDF5 file does.
bool isLegacyFile(std::string_view bytes);

/// Files of Keras 2 are refused by name. The optimizer's memory is not taken over: a warning says
/// so.
mlir::FailureOr<ImportedModel> importLegacyFile(mlir::MLIRContext &context, std::string bytes,
                                                const std::string &name, Diagnostics &diagnostics);

} // namespace formwork::keras
