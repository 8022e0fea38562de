// The passes of Passes.td.
#pragma once

#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"

namespace formwork {

#define GEN_PASS_DECL
#include "codegen/cuda/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "codegen/cuda/Passes.h.inc"

/// Before memory is planned: kernels and launches to those that suit a GPU better.
void buildCUDAKernelsPipeline(mlir::OpPassManager &pipeline);

/// Kernels to the GPU's tile form: blocks, threads and arithmetic, cleaned up. The rest of the
/// module stays as it is. `tf32`: whether float32 products may be rounded to TF32.
void buildCUDATilePipeline(mlir::OpPassManager &pipeline, bool tf32 = false);

} // namespace formwork
