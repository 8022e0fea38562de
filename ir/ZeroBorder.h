// What passes know of the zeros around an argument of a kernel.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace formwork {

/// On an argument of a kernel: of each axis how many of its first indices hold zeros, then of each
/// axis how many of its last. A promise that whoever launches the kernel keeps.
inline constexpr llvm::StringLiteral zeroBorderAttr = "fw.zero_border";

/// What is promised of a value; null if it is no argument of `kernel`, or nothing is.
inline mlir::DenseI64ArrayAttr zeroBorderOf(mlir::func::FuncOp kernel, mlir::Value value) {
  auto argument = mlir::dyn_cast<mlir::BlockArgument>(value);
  if (!argument || argument.getOwner() != &kernel.front())
    return {};
  return kernel.getArgAttrOfType<mlir::DenseI64ArrayAttr>(argument.getArgNumber(), zeroBorderAttr);
}

} // namespace formwork
