// The passes of Passes.td.
#pragma once

#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

namespace formwork {

#define GEN_PASS_DECL
#include "codegen/host/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "codegen/host/Passes.h.inc"

/// Host functions and scalar kernels to LLVM's dialect.
void buildScalarLoweringPipeline(mlir::OpPassManager &pipeline);

} // namespace formwork
