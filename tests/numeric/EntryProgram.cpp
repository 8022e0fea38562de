// Entries are called through the C interface, as any caller does.
#include "tests/numeric/EntryProgram.h"

#include "passes/Passes.h"
#include "tests/numeric/Buffer.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FormatVariadic.h"

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
} // namespace

void EntryProgram::call(StringRef function, std::vector<Array> &arguments,
                        std::vector<Array> &results) {
  std::vector<Buffer> buffers = buffersFor(arguments, results);
  std::vector<void *> pointers;
  for (Buffer &buffer : buffers)
    pointers.push_back(buffer.data());
  std::vector<int64_t> dims = dimsOf(function, arguments, results);
  std::string name = (entryPrefix + Twine("_") + function).str();
  auto run = reinterpret_cast<formwork_function *>(lookup(name + "__any"));
  auto arenaSize = reinterpret_cast<int64_t (*)(const int64_t *)>(lookup(name + "_arena__any"));
  Arena arena(arenaSize(dims.data()));
  if (run(nullptr, nullptr, nullptr, arena.data(), dims.data(), pointers.data()) != FORMWORK_OK)
    llvm::report_fatal_error(function + " refuses its arguments");
  if (!arena.intact())
    llvm::report_fatal_error(function + " writes beside its arena");
  readBack(buffers, arguments, results);
}

/// What the symbols stand for in this call.
std::vector<int64_t> EntryProgram::dimsOf(StringRef function, ArrayRef<Array> arguments,
                                          ArrayRef<Array> results) {
  std::vector<int64_t> dims(symbolCount);
  for (auto [array, numbers] :
       llvm::zip_equal(llvm::concat<const Array>(arguments, results), symbols[function]))
    for (auto [size, symbol] : llvm::zip_equal(array.shape, numbers))
      if (symbol >= 0)
        dims.at(symbol) = size;
  return dims;
}

//===--- making entries --------------------------------------------------------------------------

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

llvm::StringMap<Symbols> makeEntries(ModuleOp module) {
  llvm::StringMap<Symbols> symbols;
  for (auto function : module.getOps<func::FuncOp>())
    symbols[function.getName()] = makeEntry(function);
  return symbols;
}

LogicalResult planKernels(ModuleOp module, const KernelsOptions &options,
                          llvm::function_ref<void(OpPassManager &)> beforePlan) {
  PassManager passes(module.getContext());
  buildKernelsPipeline(passes, options);
  if (beforePlan)
    beforePlan(passes);
  buildPlanPipeline(passes);
  return passes.run(module);
}

int64_t symbolCount(ModuleOp module) {
  auto count = module->getAttrOfType<IntegerAttr>("fw.symbols");
  return count ? count.getInt() : 0;
}

} // namespace formwork::test
