// From the kernels of any target to those that suit a GPU, and from there to its tile form.
#include "codegen/cuda/Passes.h"
#include "codegen/kernel/Passes.h"
#include "ir/Rewriting.h"

#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace formwork {

void buildCUDAKernelsPipeline(OpPassManager &pipeline) {
  pipeline.addPass(createCUDASplitSums());
  pipeline.addPass(createCUDAUniteUpdates());
}

void buildCUDATilePipeline(OpPassManager &pipeline, bool tf32) {
  pipeline.addPass(createCUDATile({tf32}));
  // Every GPU has a fused multiply-add.
  pipeline.addPass(createExpandMath({/*hasFMA=*/true}));
  pipeline.addPass(createStructuredCanonicalizer());
  pipeline.addPass(createCSEPass());
}

} // namespace formwork
