// The passes of Passes.td.
#pragma once

#include "codegen/cpu/Target.h"

#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

namespace formwork {

#define GEN_PASS_DECL
#include "codegen/cpu/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "codegen/cpu/Passes.h.inc"

/// Kernels to the CPU's tile form: loops, vectors and arithmetic, cleaned up. The rest of the
/// module stays as it is.
void buildCPUTilePipeline(mlir::OpPassManager &pipeline, const CPUTarget &target = {});
/// The tile form to LLVM's dialect.
void buildCPULoweringPipeline(mlir::OpPassManager &pipeline);
void registerCPUPipelines();

} // namespace formwork
