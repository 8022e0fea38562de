// What functions do with variables, once those are arguments (after fw-lift-variables).
#pragma once

#include "mlir/IR/BuiltinOps.h"

namespace formwork {

/// Whether any function of the module updates a variable.
bool updatesVariables(mlir::ModuleOp module);

} // namespace formwork
