// The production pipeline as an executor.
#include "codegen/Codegen.h"
#include "passes/Passes.h"
#include "runtime/formwork.h"
#include "tests/numeric/Buffer.h"
#include "tests/numeric/HostProgram.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cstring>

using namespace mlir;

namespace formwork::test {

namespace {
/// Scratch memory with a line of canaries on both sides.
class Arena {
public:
  explicit Arena(int64_t bytes) : bytes(bytes), lines(bytes / sizeof(Line) + 3) {
    std::memset(lines.data(), poison, lines.size() * sizeof(Line));
  }

  void *data() { return lines[1].bytes; }

  /// Whether nothing was written before or after it.
  bool intact() const {
    auto clean = [](const char *from) {
      return std::all_of(from, from + sizeof(Line), [](char c) { return c == char(poison); });
    };
    return clean(lines[0].bytes) && clean(lines[1].bytes + bytes);
  }

private:
  struct alignas(64) Line {
    char bytes[64];
  };
  int64_t bytes;
  std::vector<Line> lines;
};

/// The symbol of each dimension of each buffer of a function, -1 where the size is known.
using Symbols = std::vector<std::vector<int64_t>>;

class CpuProgram : public Program {
public:
  CpuProgram(std::unique_ptr<llvm::orc::LLJIT> jit, llvm::StringMap<Symbols> symbols,
             int64_t symbolCount)
      : jit(std::move(jit)), symbols(std::move(symbols)), symbolCount(symbolCount) {}

  void call(StringRef function, std::vector<Array> &arguments,
            std::vector<Array> &results) override {
    std::vector<Buffer> buffers = buffersFor(arguments, results);
    std::vector<void *> pointers;
    for (Buffer &buffer : buffers)
      pointers.push_back(buffer.data());
    std::vector<int64_t> dims = dimsOf(function, arguments, results);
    auto run = lookup<formwork_function>("table_" + function + "__any");
    auto arenaSize = lookup<int64_t(const int64_t *)>("table_" + function + "_arena__any");
    Arena arena(arenaSize(dims.data()));
    if (run(nullptr, nullptr, nullptr, arena.data(), dims.data(), pointers.data()) != FORMWORK_OK)
      llvm::report_fatal_error(function + " refuses its arguments");
    if (!arena.intact())
      llvm::report_fatal_error(function + " writes beside its arena");
    readBack(buffers, arguments, results);
  }

private:
  /// What the symbols stand for in this call.
  std::vector<int64_t> dimsOf(StringRef function, ArrayRef<Array> arguments,
                              ArrayRef<Array> results) {
    std::vector<int64_t> dims(symbolCount);
    for (auto [array, numbers] :
         llvm::zip_equal(llvm::concat<const Array>(arguments, results), symbols[function]))
      for (auto [size, symbol] : llvm::zip_equal(array.shape, numbers))
        if (symbol >= 0)
          dims.at(symbol) = size;
    return dims;
  }

  template <typename Function> Function *lookup(const llvm::Twine &symbol) {
    return llvm::cantFail(jit->lookup(symbol.str())).template toPtr<Function *>();
  }

  std::unique_ptr<llvm::orc::LLJIT> jit;
  llvm::StringMap<Symbols> symbols;
  int64_t symbolCount;
};

} // namespace

/// Arguments are inputs, results are outputs, in order.
static Symbols makeEntry(func::FuncOp function) {
  Builder builder(function.getContext());
  Symbols all;
  auto describe = [&](Type type, DictionaryAttr given, StringRef role, unsigned index) {
    auto symbols = given ? given.getAs<DenseI64ArrayAttr>("fw.symbols") : DenseI64ArrayAttr();
    if (!symbols)
      symbols = builder.getDenseI64ArrayAttr(
          SmallVector<int64_t>(cast<RankedTensorType>(type).getRank(), -1));
    all.push_back(symbols.asArrayRef());
    return builder.getDictionaryAttr(
        {builder.getNamedAttr("fw.name",
                              builder.getStringAttr(llvm::formatv("{0}_{1}", role, index))),
         builder.getNamedAttr("fw.role", builder.getStringAttr(role)),
         builder.getNamedAttr("fw.symbols", symbols)});
  };
  function->setAttr("fw.entry", builder.getUnitAttr());
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
    function.setArgAttrs(i, describe(type, function.getArgAttrDict(i), "input", i));
  for (auto [i, type] : llvm::enumerate(function.getResultTypes()))
    function.setResultAttrs(i, describe(type, function.getResultAttrDict(i), "output", i));
  return all;
}

std::unique_ptr<Program> compileHostProgram(ModuleOp module,
                                            llvm::function_ref<LogicalResult(ModuleOp)> schedule,
                                            llvm::function_ref<void(OpPassManager &)> beforePlan) {
  llvm::StringMap<Symbols> symbols;
  for (auto function : module.getOps<func::FuncOp>())
    symbols[function.getName()] = makeEntry(function);
  PassManager passes(module.getContext());
  buildKernelsPipeline(passes);
  if (beforePlan)
    beforePlan(passes);
  buildPlanPipeline(passes);
  if (failed(passes.run(module)) || (schedule && failed(schedule(module))))
    return nullptr;
  CPUOptions options;
  options.name = "table";
  FailureOr<Artifact> artifact = compileForCPU(module, options);
  if (failed(artifact))
    return nullptr;
  auto jit = llvm::cantFail(llvm::orc::LLJITBuilder().create());
  StringRef object(artifact->object.data(), artifact->object.size());
  llvm::cantFail(jit->addObjectFile(llvm::MemoryBuffer::getMemBufferCopy(object)));
  auto count = module->getAttrOfType<IntegerAttr>("fw.symbols");
  return std::make_unique<CpuProgram>(std::move(jit), std::move(symbols),
                                      count ? count.getInt() : 0);
}

namespace {
class CpuExecutor : public Executor {
public:
  StringRef name() const override { return "cpu"; }
  bool sumsAlikeWithUnknownSizes() const override { return false; }

  std::unique_ptr<Program> compilePure(ModuleOp module) override {
    return compileHostProgram(module);
  }
};
} // namespace

std::unique_ptr<Executor> makeCpuExecutor() { return std::make_unique<CpuExecutor>(); }

} // namespace formwork::test
