// What a model's variables hold at first, as bytes laid out for its artefact.
#pragma once

#include "codegen/StateLayout.h"
#include "frontend/Model.h"
#include "tools/Compile.h"

namespace formwork {

/// Bytes of `layout`: what the file says, and where it says nothing what the generated `init` makes
/// of options.seed; then what `derive` of the lowered model, pure functions in fw, makes of these.
/// For that they are compiled for this machine and run in this process; `imported`, the model as
/// the front end wrote it, is used up by it.
mlir::FailureOr<std::vector<char>> initialValues(mlir::ModuleOp imported, mlir::ModuleOp lowered,
                                                 const ImportedModel &model,
                                                 const StateLayout &layout,
                                                 const CompileOptions &options);

} // namespace formwork
