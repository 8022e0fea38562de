// What a model's variables hold at first, as bytes laid out for its artefact.
#pragma once

#include "codegen/StateLayout.h"
#include "frontend/Model.h"
#include "tools/Compile.h"

namespace formwork {

/// Bytes of `layout`: what the file says, and where it says nothing what the generated `init` makes
/// of options.seed. For that, `imported` is compiled for this machine and run in this process.
mlir::FailureOr<std::vector<char>> initialValues(mlir::OwningOpRef<mlir::ModuleOp> imported,
                                                 const ImportedModel &model,
                                                 const StateLayout &layout,
                                                 const CompileOptions &options);

} // namespace formwork
