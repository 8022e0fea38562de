// The production pipeline as an executor: each function is an entry of its own, called through the
// C interface.
#include "codegen/Codegen.h"
#include "passes/Passes.h"
#include "runtime/formwork.h"
#include "tests/numeric/Buffer.h"
#include "tests/numeric/Executor.h"

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

class CpuProgram : public Program {
public:
  explicit CpuProgram(std::unique_ptr<llvm::orc::LLJIT> jit) : jit(std::move(jit)) {}

  void call(StringRef function, std::vector<Array> &arguments,
            std::vector<Array> &results) override {
    std::vector<Buffer> buffers;
    for (const Array &argument : arguments)
      buffers.emplace_back(argument).write(argument);
    for (const Array &result : results)
      buffers.emplace_back(result);
    std::vector<void *> pointers;
    for (Buffer &buffer : buffers)
      pointers.push_back(buffer.data());
    auto run = lookup<formwork_function>("table_" + function + "__any");
    auto arenaSize = lookup<int64_t(const int64_t *)>("table_" + function + "_arena__any");
    Arena arena(arenaSize(nullptr));
    if (run(nullptr, nullptr, nullptr, arena.data(), nullptr, pointers.data()) != FORMWORK_OK)
      llvm::report_fatal_error(function + " refuses its arguments");
    if (!arena.intact())
      llvm::report_fatal_error(function + " writes beside its arena");
    for (auto [i, array] : llvm::enumerate(llvm::concat<Array>(arguments, results)))
      buffers[i].read(array);
  }

private:
  template <typename Function> Function *lookup(const llvm::Twine &symbol) {
    return llvm::cantFail(jit->lookup(symbol.str())).template toPtr<Function *>();
  }

  std::unique_ptr<llvm::orc::LLJIT> jit;
};

class CpuExecutor : public Executor {
public:
  StringRef name() const override { return "cpu"; }
  bool compilesGeneral() const override { return false; }

  std::unique_ptr<Program> compilePure(ModuleOp module) override {
    for (auto function : module.getOps<func::FuncOp>())
      makeEntry(function);
    PassManager passes(module.getContext());
    buildKernelsPipeline(passes);
    buildPlanPipeline(passes);
    if (failed(passes.run(module)))
      return nullptr;
    CPUOptions options;
    options.name = "table";
    FailureOr<Artifact> artifact = compileForCPU(module, options);
    if (failed(artifact))
      return nullptr;
    auto jit = llvm::cantFail(llvm::orc::LLJITBuilder().create());
    StringRef object(artifact->object.data(), artifact->object.size());
    llvm::cantFail(jit->addObjectFile(llvm::MemoryBuffer::getMemBufferCopy(object)));
    return std::make_unique<CpuProgram>(std::move(jit));
  }

private:
  /// Arguments are inputs, results are outputs, in order.
  static void makeEntry(func::FuncOp function) {
    Builder builder(function.getContext());
    auto describe = [&](Type type, StringRef role, unsigned index) {
      SmallVector<int64_t> known(cast<RankedTensorType>(type).getRank(), -1);
      return builder.getDictionaryAttr(
          {builder.getNamedAttr("fw.name",
                                builder.getStringAttr(llvm::formatv("{0}_{1}", role, index))),
           builder.getNamedAttr("fw.role", builder.getStringAttr(role)),
           builder.getNamedAttr("fw.symbols", builder.getDenseI64ArrayAttr(known))});
    };
    function->setAttr("fw.entry", builder.getUnitAttr());
    for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
      function.setArgAttrs(i, describe(type, "input", i));
    for (auto [i, type] : llvm::enumerate(function.getResultTypes()))
      function.setResultAttrs(i, describe(type, "output", i));
  }
};
} // namespace

std::unique_ptr<Executor> makeCpuExecutor() { return std::make_unique<CpuExecutor>(); }

} // namespace formwork::test
