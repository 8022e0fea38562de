// Host code of the production pipeline, called through the C interface, whoever computes kernels.
#pragma once

#include "tests/numeric/Executor.h"

namespace formwork::test {

/// Plans a module of pure functions and makes each an entry of its own. `schedule`, if given, puts
/// functions of the form that the CPU's kernels have in the place of kernels on tensors.
std::unique_ptr<Program>
compileHostProgram(mlir::ModuleOp module,
                   llvm::function_ref<mlir::LogicalResult(mlir::ModuleOp)> schedule = {});

} // namespace formwork::test
