// The passes of Passes.td.
#pragma once

#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

namespace formwork {

#define GEN_PASS_DECL
#include "codegen/cpu/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "codegen/cpu/Passes.h.inc"

/// Kernels to the CPU's tile form, cleaned up.
void buildCPUTilePipeline(mlir::OpPassManager &pipeline, const CPUTileOptions &options);
/// The tile form to LLVM's dialect.
void buildCPULoweringPipeline(mlir::OpPassManager &pipeline);
void registerCPUPipelines();

} // namespace formwork
