// The passes of Passes.td.
#pragma once

#include "mlir/Pass/Pass.h"

namespace formwork {

#define GEN_PASS_DECL
#include "codegen/kernel/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "codegen/kernel/Passes.h.inc"

} // namespace formwork
