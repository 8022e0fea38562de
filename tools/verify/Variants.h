// What verification does to an imported model before it is compiled: sizes made static, layers
// made visible, float32 made float64.
#pragma once

#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace formwork {

/// Gives symbol i the size sizes[i]; no `?` is left.
mlir::LogicalResult fixSizes(mlir::ModuleOp module, llvm::ArrayRef<int64_t> sizes);

/// Makes what a layer hands on to others an output of @predict, of whatever model. Returns the
/// layer of each output, in their order. Shapes must be static.
std::vector<std::string> exposeLayers(mlir::ModuleOp module);

/// Makes float64 of float32: variables, constants, functions.
void widen(mlir::ModuleOp module);

} // namespace formwork
