// A group of ops becomes a kernel.
#pragma once

#include "ir/Dialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace formwork {

/// Ops of one block, in their order, that run as one kernel.
struct KernelGroup {
  /// What a target is told of the kernel's shape; see FormKernels.cpp.
  llvm::StringRef kind;
  llvm::SmallVector<mlir::Operation *> ops;
};

/// Moves the group's ops to a function of the module of `kernels` and launches it in their place.
/// The launch stands where the last of them stood; the block may need sorting afterwards. Scalar
/// and splat constants and intermediates go with the ops. What a variable's update computes is
/// written to that variable's argument.
LaunchOp outline(const KernelGroup &group, mlir::SymbolTable &kernels, mlir::StringRef prefix);

/// The nested module of kernels, created if there is none.
mlir::ModuleOp kernelsOf(mlir::ModuleOp module);

/// The layers that ops at this location belong to, each once.
void collectLayers(mlir::Location location, llvm::SetVector<llvm::StringRef> &layers);

} // namespace formwork
