// The GPU's kernels in the place of the CPU's: printed as CUDA C++ and run on the CPU, called by
// the host code that the CPU path makes.
#pragma once

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"

namespace formwork::test {

/// Schedules the kernels of a planned module for a GPU, prints and compiles them (KernelLibrary),
/// and puts in the place of each a function, in the form that the CPU's kernels have, that puts its
/// arguments where cuLaunchKernel wants them and launches the printed kernel. What is made of the
/// module runs in this process only.
mlir::LogicalResult callKernelsOnCpu(mlir::ModuleOp planned);

} // namespace formwork::test
