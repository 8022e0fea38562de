// compileForCPU: the order of steps from planned kernels to an object.
#include "codegen/Codegen.h"
#include "codegen/cpu/Passes.h"
#include "codegen/host/Object.h"
#include "codegen/host/Passes.h"
#include "ir/Rewriting.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;

namespace formwork {

std::string exportedName(ModuleOp module, const CPUOptions &options) {
  auto given = module->getAttrOfType<StringAttr>("fw.name");
  return options.name.empty() && given ? given.str() : options.name;
}

FailureOr<Artifact> compileForCPU(ModuleOp module, const CPUOptions &options) {
  auto machine = makeTargetMachine(module.getLoc(), options.triple, options.cpu, options.features);
  if (failed(machine))
    return failure();
  Artifact artifact;
  artifact.target = describe(**machine);
  std::string name = exportedName(module, options);
  std::string triple = (*machine)->getTargetTriple().str();
  artifact.entries = readEntries(module, name);

  PassManager pipeline(module.getContext());
  if (options.unoptimized)
    pipeline.addPass(createScalarKernels());
  else
    buildCPUTilePipeline(pipeline, scheduledFor(**machine));
  LowerLaunchesOptions launches;
  launches.target = triple;
  launches.profile = options.profile;
  pipeline.addPass(createLowerLaunches(launches));
  EntryPointsOptions entryPoints;
  entryPoints.name = name;
  entryPoints.suffix = options.suffix;
  entryPoints.target = triple;
  pipeline.addPass(createEntryPoints(entryPoints));
  // Once who calls whom is complete.
  pipeline.addPass(createPassPointers());
  pipeline.addPass(createStructuredCanonicalizer());

  PassManager lowering(module.getContext());
  // Upstream's conversions, between which a verifier would learn nothing; LLVM's runs after them.
  lowering.enableVerifier(false);
  if (options.unoptimized)
    buildScalarLoweringPipeline(lowering);
  else
    buildCPULoweringPipeline(lowering);
  if (failed(pipeline.run(module)) || failed(lowering.run(module)) ||
      failed(verifyLowered(module)) ||
      failed(emitObject(module, **machine, artifact.object, options.printLLVM)))
    return failure();
  return artifact;
}

} // namespace formwork
