// The passes of Passes.td.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace formwork {

#define GEN_PASS_DECL
#include "codegen/source/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "codegen/source/Passes.h.inc"

} // namespace formwork
