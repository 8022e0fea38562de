// The GPU's kernels as an executor, run on the CPU.
#include "codegen/cuda/Passes.h"
#include "ir/Machine.h"
#include "tests/cuda/CallKernels.h"
#include "tests/cuda/KernelLibrary.h"
#include "tests/numeric/EntryProgram.h"

using namespace mlir;

namespace formwork::test {

namespace {
class CudaExecutor : public Executor {
public:
  StringRef name() const override { return "cuda"; }
  void prepare() override { KernelLibrary::prepare(); }
  bool sumsAlikeWithUnknownSizes() const override { return false; }

  std::unique_ptr<Program> compilePure(ModuleOp module) override {
    module->setAttr(manyThreadsAttr, UnitAttr::get(module.getContext()));
    llvm::StringMap<Symbols> symbols = makeEntries(module);
    if (failed(planKernels(module, {.pool = false}, buildCUDAKernelsPipeline)) ||
        failed(callKernelsOnCpu(module)))
      return nullptr;
    return loadObject(module, std::move(symbols), symbolCount(module));
  }
};
} // namespace

std::unique_ptr<Executor> makeCudaExecutor() { return std::make_unique<CudaExecutor>(); }

} // namespace formwork::test
