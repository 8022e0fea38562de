// The reference executor: buildReferencePipeline, then MLIR's JIT.
#include "tests/numeric/Executor.h"
#include "passes/Passes.h"
#include "tests/numeric/Buffer.h"
#include "tools/Dialects.h"

#include "mlir/ExecutionEngine/CRunnerUtils.h"
#include "mlir/ExecutionEngine/ExecutionEngine.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/Support/TargetSelect.h"

#include <cstring>

using namespace mlir;

namespace formwork::test {

namespace {
/// Where malloc in produced code gets its memory: the reference pipeline frees nothing.
struct Heap {
  std::vector<std::unique_ptr<char[]>> blocks;

  void *allocate(size_t size) {
    blocks.emplace_back(new char[size]);
    return std::memset(blocks.back().get(), poison, size);
  }
};
} // namespace

/// The heap of the call in progress.
static Heap *currentHeap = nullptr;

static void *allocateFromHeap(size_t size) { return currentHeap->allocate(size); }

namespace {
class ReferenceProgram : public Program {
public:
  explicit ReferenceProgram(std::unique_ptr<ExecutionEngine> engine) : engine(std::move(engine)) {
    this->engine->registerSymbols([](llvm::orc::MangleAndInterner interner) {
      llvm::orc::SymbolMap symbols;
      symbols[interner("malloc")] = {llvm::orc::ExecutorAddr::fromPtr(&allocateFromHeap),
                                     llvm::JITSymbolFlags::Exported};
      // Copies between buffers of different strides.
      symbols[interner("memrefCopy")] = {llvm::orc::ExecutorAddr::fromPtr(&memrefCopy),
                                         llvm::JITSymbolFlags::Exported};
      return symbols;
    });
  }

  void call(StringRef function, std::vector<Array> &arguments,
            std::vector<Array> &results) override {
    std::vector<Buffer> buffers = buffersFor(arguments, results);
    std::vector<void *> packed;
    for (Buffer &buffer : buffers)
      packed.push_back(buffer.descriptorArgument());
    Heap heap;
    currentHeap = &heap;
    lookup(function)(packed.data());
    currentHeap = nullptr;
    readBack(buffers, arguments, results);
  }

private:
  using Entry = void (*)(void **);

  Entry lookup(StringRef function) {
    Entry &entry = entries[function];
    if (!entry)
      entry = llvm::cantFail(engine->lookupPacked(("_mlir_ciface_" + function).str()));
    return entry;
  }

  std::unique_ptr<ExecutionEngine> engine;
  llvm::StringMap<Entry> entries;
};

class ReferenceExecutor : public Executor {
public:
  explicit ReferenceExecutor(std::optional<Fault> fault) : fault(std::move(fault)) {}

  StringRef name() const override { return "reference"; }
  bool sumsAlikeWithUnknownSizes() const override { return true; }
  size_t shapesPerSecondOrder() const override { return 1; }

  std::unique_ptr<Program> compilePure(ModuleOp module) override {
    PassManager reference(module.getContext());
    buildReferencePipeline(reference);
    // Variables are arguments by now.
    for (auto variable : llvm::make_early_inc_range(module.getOps<VariableOp>()))
      variable.erase();
    if ((fault && failed(plantFault(module))) || failed(reference.run(module)))
      return nullptr;
    // Loops over a few hundred elements: compiling takes longer than running.
    auto host = llvm::cantFail(llvm::orc::JITTargetMachineBuilder::detectHost());
    host.setCodeGenOptLevel(llvm::CodeGenOptLevel::None);
    return std::make_unique<ReferenceProgram>(llvm::cantFail(
        ExecutionEngine::create(module, {}, llvm::cantFail(host.createTargetMachine()))));
  }

private:
  /// The reference pipeline decomposes too; what is decomposed already it leaves as it is.
  LogicalResult plantFault(ModuleOp module) {
    PassManager decompose(module.getContext());
    decompose.addNestedPass<func::FuncOp>(createDecompose());
    if (fault->stage == Fault::Decomposed && failed(decompose.run(module)))
      return failure();
    fault->plant(module);
    return verify(module);
  }

  std::optional<Fault> fault;
};
} // namespace

std::unique_ptr<Program> Executor::compile(ModuleOp module) {
  PassManager pipeline(module.getContext());
  buildModelPipeline(pipeline);
  return failed(pipeline.run(module)) ? nullptr : compilePure(module);
}

std::unique_ptr<Executor> makeReferenceExecutor(std::optional<Fault> fault) {
  return std::make_unique<ReferenceExecutor>(std::move(fault));
}

std::vector<std::unique_ptr<Executor>> makeExecutors() {
  std::vector<std::unique_ptr<Executor>> executors;
  executors.push_back(makeReferenceExecutor());
  executors.push_back(makeCppExecutor());
  return executors;
}

std::unique_ptr<MLIRContext> makeContext() {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  DialectRegistry registry;
  registerDialects(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  // Many small modules: tests run side by side, not the passes of one.
  auto context = std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
  context->loadDialect<FwDialect>();
  registerTestOps(*context);
  return context;
}

} // namespace formwork::test
