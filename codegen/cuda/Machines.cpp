// The GPUs that --target can name, and what --emit can show of their code.
#include "codegen/Target.h"
#include "codegen/cuda/Code.h"
#include "codegen/cuda/Passes.h"

using namespace mlir;

namespace formwork {

static constexpr Machine machineTable[] = {
    {"cuda:sm_80", "NVIDIA A100", "", "", ""},
    {"cuda:sm_86", "NVIDIA A10, A40, GeForce RTX 30", "", "", ""},
    {"cuda:sm_89", "NVIDIA L4, L40, GeForce RTX 40", "", "", ""},
    {"cuda:sm_90", "NVIDIA H100, H200 and later", "", "", ""},
    {"cuda:sm_90a", "NVIDIA H100, H200 alone", "", "", ""},
    {"cuda:sm_100", "NVIDIA B100, B200", "", "", ""},
    {"cuda:sm_120", "NVIDIA GeForce RTX 50", "", "", ""},
};

static constexpr StringRef textKinds[] = {"cuda", "ptx"};

static std::vector<cuda::Architecture> architecturesOf(ArrayRef<Machine> machines) {
  std::vector<cuda::Architecture> architectures;
  for (const Machine &machine : machines)
    architectures.push_back(*cuda::Architecture::parse(machine.name.split(':').second));
  return architectures;
}

namespace {
class GPUs : public Target {
public:
  ArrayRef<Machine> machines() const override { return machineTable; }
  bool isAccelerator() const override { return true; }

  // A block's tile of a product in shared memory and registers has no place for windows.
  bool poolsInTiles() const override { return false; }

  void addKernelPasses(OpPassManager &pipeline) const override {
    buildCUDAKernelsPipeline(pipeline);
  }

  FailureOr<Artifact> compile(ModuleOp module, ArrayRef<Machine> machines,
                              const TargetOptions &options) const override {
    CUDAOptions cuda;
    cuda.name = options.name;
    cuda.architectures = architecturesOf(machines);
    cuda.triple = options.host.triple;
    cuda.cpu = options.host.cpu;
    cuda.hostSuffix = options.hostSuffix;
    cuda.tf32 = options.tf32;
    cuda.acceptedSpills = options.acceptedSpills;
    cuda.report = options.report;
    return compileForCUDA(module, cuda);
  }

  ArrayRef<StringRef> texts() const override { return textKinds; }
  FailureOr<std::vector<SourceFile>> print(StringRef kind, ModuleOp module,
                                           ArrayRef<Machine> machines,
                                           const TargetOptions &options) const override {
    if (kind == "cuda")
      return sourceFolderForCUDA(module, options.name, options.tf32);
    if (machines.size() > 1)
      return emitError(module.getLoc())
             << "--emit=ptx is one text: name one GPU in --target, not " << machines.size();
    auto text = compileToPTX(module, architecturesOf(machines).front(), options.name, options.tf32);
    if (failed(text))
      return failure();
    return std::vector<SourceFile>{{options.name + ".ptx", *text}};
  }
};
} // namespace

const Target &cudaTarget() {
  static const GPUs target;
  return target;
}

} // namespace formwork
