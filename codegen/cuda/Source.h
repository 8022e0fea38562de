// The text of a CUDA C++ file from kernels in the GPU's tile form.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <string>

namespace formwork::cuda {

/// Whether a function is run by each thread of a grid.
bool isKernel(mlir::func::FuncOp function);

/// What a kernel is called in the file: an identifier, different for different names.
std::string kernelName(llvm::StringRef function);

/// All kernels of the module and of those in it, one after the other, with all that they need:
///
///   extern "C" __global__ void __launch_bounds__(threads) NAME(parameters)
///
/// A memref is a pointer, followed by its sizes that are not known, each a long long; a scalar is
/// itself. Fails, with diagnostics, on what cannot be printed.
mlir::FailureOr<std::string> printKernels(mlir::ModuleOp module);

} // namespace formwork::cuda
