// The GPU's kernels as an executor, run on the CPU.
#include "tests/cuda/CallKernels.h"
#include "tests/numeric/HostProgram.h"

using namespace mlir;

namespace formwork::test {

namespace {
class CudaExecutor : public Executor {
public:
  StringRef name() const override { return "cuda"; }
  bool sumsAlikeWithUnknownSizes() const override { return false; }

  std::unique_ptr<Program> compilePure(ModuleOp module) override {
    return compileHostProgram(module, callKernelsOnCpu);
  }
};
} // namespace

std::unique_ptr<Executor> makeCudaExecutor() { return std::make_unique<CudaExecutor>(); }

} // namespace formwork::test
