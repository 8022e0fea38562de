// From kernels to the GPU's tile form.
#include "codegen/cuda/Passes.h"
#include "codegen/kernel/Passes.h"
#include "ir/Rewriting.h"

#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace formwork {

void buildCUDATilePipeline(OpPassManager &pipeline, bool tf32) {
  pipeline.addPass(createCUDATile({tf32}));
  // Every GPU has a fused multiply-add.
  pipeline.addPass(createExpandMath({/*hasFMA=*/true}));
  pipeline.addPass(createStructuredCanonicalizer());
  pipeline.addPass(createCSEPass());
}

} // namespace formwork
