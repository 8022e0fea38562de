// A module whose functions are entries of the C interface of runtime/formwork.h, and how they are
// called.
#pragma once

#include "passes/Passes.h"
#include "runtime/formwork.h"
#include "tests/numeric/Executor.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringMap.h"

namespace formwork::test {

/// The symbol of each dimension of each buffer of a function, -1 where the size is known.
using Symbols = std::vector<std::vector<int64_t>>;

/// What exported names begin with.
constexpr char entryPrefix[] = "table";

/// Makes each function an entry: arguments are inputs, results are outputs, in order.
llvm::StringMap<Symbols> makeEntries(mlir::ModuleOp module);

/// The production pipeline down to buffers in one arena; `beforePlan` adds passes over kernels for
/// which no memory is planned yet.
mlir::LogicalResult planKernels(mlir::ModuleOp module, const KernelsOptions &options = {},
                                llvm::function_ref<void(mlir::OpPassManager &)> beforePlan = {});

/// Calls entries wherever they are. The arena comes poisoned, between canaries.
class EntryProgram : public Program {
public:
  EntryProgram(llvm::StringMap<Symbols> symbols, int64_t symbolCount)
      : symbols(std::move(symbols)), symbolCount(symbolCount) {}

  void call(llvm::StringRef function, std::vector<Array> &arguments,
            std::vector<Array> &results) override;

protected:
  /// The address of an exported function.
  virtual void *lookup(const std::string &symbol) = 0;

private:
  std::vector<int64_t> dimsOf(llvm::StringRef function, llvm::ArrayRef<Array> arguments,
                              llvm::ArrayRef<Array> results);

  llvm::StringMap<Symbols> symbols;
  int64_t symbolCount;
};

/// A planned module as an object of this machine, loaded into the process. Null, with diagnostics,
/// if it does not compile.
std::unique_ptr<Program> loadObject(mlir::ModuleOp planned, llvm::StringMap<Symbols> symbols,
                                    int64_t symbolCount);

/// How many symbols a module's shapes have.
int64_t symbolCount(mlir::ModuleOp module);

} // namespace formwork::test
