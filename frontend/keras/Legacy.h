// A whole model in one HDF5 file, as Keras 3 and Keras 2 write `model.save("x.h5")`: configuration
// in attributes, weights in a group for each layer.
#pragma once

#include "frontend/Diagnostics.h"
#include "frontend/Model.h"

namespace formwork::keras {

/// True if the bytes begin as an HDF5 file does.
bool isLegacyFile(std::string_view bytes);

/// The optimizer's memory is taken over from files of Keras 3; that of Keras 2 is not, and a
/// warning says so. Files of Keras 1 are refused by name.
mlir::FailureOr<ImportedModel> importLegacyFile(mlir::MLIRContext &context, std::string bytes,
                                                const std::string &name, Diagnostics &diagnostics);

} // namespace formwork::keras
