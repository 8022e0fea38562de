// Denormals are flushed, as TensorFlow and JAX flush them: the mode is set on entry and restored.
#pragma once

#include "mlir/IR/Builders.h"
#include "llvm/TargetParser/Triple.h"

namespace formwork {

/// Sets the mode at `builder`; returns what `restoreMode` needs, null where a target has no mode.
mlir::Value flushDenormals(mlir::OpBuilder &builder, mlir::Location location,
                           const llvm::Triple &target);
void restoreMode(mlir::OpBuilder &builder, mlir::Location location, const llvm::Triple &target,
                 mlir::Value saved);

} // namespace formwork
