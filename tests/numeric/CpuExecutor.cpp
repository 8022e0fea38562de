// The production pipeline as an executor: each function is an entry of its own, called through the
// C interface.
#include "codegen/Codegen.h"
#include "tests/numeric/EntryProgram.h"

#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace mlir;

namespace formwork::test {

namespace {
class CpuProgram : public EntryProgram {
public:
  CpuProgram(std::unique_ptr<llvm::orc::LLJIT> jit, llvm::StringMap<Symbols> symbols,
             int64_t symbolCount)
      : EntryProgram(std::move(symbols), symbolCount), jit(std::move(jit)) {}

private:
  void *lookup(const std::string &symbol) override {
    return llvm::cantFail(jit->lookup(symbol)).toPtr<void *>();
  }

  std::unique_ptr<llvm::orc::LLJIT> jit;
};

} // namespace

std::unique_ptr<Program> loadObject(ModuleOp planned, llvm::StringMap<Symbols> symbols,
                                    int64_t symbolCount) {
  CPUOptions options;
  options.name = entryPrefix;
  FailureOr<Artifact> artifact = compileForCPU(planned, options);
  if (failed(artifact))
    return nullptr;
  auto jit = llvm::cantFail(llvm::orc::LLJITBuilder().create());
  StringRef object(artifact->object.data(), artifact->object.size());
  llvm::cantFail(jit->addObjectFile(llvm::MemoryBuffer::getMemBufferCopy(object)));
  return std::make_unique<CpuProgram>(std::move(jit), std::move(symbols), symbolCount);
}

namespace {
class CpuExecutor : public Executor {
public:
  StringRef name() const override { return "cpu"; }
  bool sumsAlikeWithUnknownSizes() const override { return false; }

  std::unique_ptr<Program> compilePure(ModuleOp module) override {
    llvm::StringMap<Symbols> symbols = makeEntries(module);
    if (failed(planKernels(module)))
      return nullptr;
    return loadObject(module, std::move(symbols), symbolCount(module));
  }
};
} // namespace

std::unique_ptr<Executor> makeCpuExecutor() { return std::make_unique<CpuExecutor>(); }

} // namespace formwork::test
