// The passes of Passes.td.
#pragma once

#include "mlir/Pass/Pass.h"

namespace formwork {

#define GEN_PASS_DECL
#include "codegen/cpu/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "codegen/cpu/Passes.h.inc"

} // namespace formwork
