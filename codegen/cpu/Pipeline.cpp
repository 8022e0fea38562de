// From the tile form to LLVM's dialect. Nothing is scheduled here.
#include "codegen/cpu/Passes.h"
#include "codegen/kernel/Passes.h"
#include "ir/Rewriting.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace formwork {

void buildCPUTilePipeline(OpPassManager &pipeline, const CPUTarget &target) {
  pipeline.addPass(createCPUTile({target.vectorBytes, target.vectorRegisters, target.hasFMA}));
  pipeline.addPass(createMarkDivisions());
  pipeline.addPass(createExpandMath({target.hasFMA}));
  pipeline.addPass(createStructuredCanonicalizer());
  pipeline.addPass(createCSEPass());
}

void buildCPULoweringPipeline(OpPassManager &pipeline) {
  pipeline.addNestedPass<func::FuncOp>(createCPUUnroll());
  pipeline.addPass(createSCFToControlFlowPass());
  pipeline.addPass(createCPUToLLVM());
  pipeline.addPass(createReconcileUnrealizedCastsPass());
}

void registerCPUPipelines() {
  PassPipelineRegistration<>("fw-cpu-lower", "From the tile form to LLVM's dialect",
                             buildCPULoweringPipeline);
}

} // namespace formwork
