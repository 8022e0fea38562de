// Host code of the production pipeline, called through the C interface, whoever computes kernels.
#pragma once

#include "tests/numeric/Executor.h"

#include "mlir/Pass/PassManager.h"

namespace formwork::test {

/// Plans a module of pure functions and makes each an entry of its own. `schedule`, if given, puts
/// functions of the form that the CPU's kernels have in the place of kernels on tensors;
/// `beforePlan` adds passes over kernels for which no memory is planned yet.
std::unique_ptr<Program>
compileHostProgram(mlir::ModuleOp module,
                   llvm::function_ref<mlir::LogicalResult(mlir::ModuleOp)> schedule = {},
                   llvm::function_ref<void(mlir::OpPassManager &)> beforePlan = {});

} // namespace formwork::test
