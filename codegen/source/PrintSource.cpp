// fw-print-source: what the core prints of a module's functions.
#include "codegen/source/FunctionPrinter.h"
#include "codegen/source/Passes.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_PRINTSOURCE
#include "codegen/source/Passes.h.inc"

namespace {
struct PrintSource : impl::PrintSourceBase<PrintSource> {
  void runOnOperation() override {
    source::Language language;
    source::Symbols symbols;
    source::Scope names;
    std::vector<func::FuncOp> functions;
    getOperation()->walk([&](Operation *op) {
      auto symbol = dyn_cast<SymbolOpInterface>(op);
      if (isa<func::FuncOp, memref::GlobalOp>(op))
        symbols[symbol.getName()] = names.unique(source::variableName(symbol.getName()));
      if (auto function = dyn_cast<func::FuncOp>(op); function && !function.isExternal())
        functions.push_back(function);
    });
    for (func::FuncOp function : functions) {
      source::FunctionPrinter printer(language, symbols, names, llvm::outs());
      Type result = function.getNumResults() ? function.getResultTypes().front() : Type();
      std::string head = result ? language.type(result, /*isSigned=*/true) : "void";
      if (failed(printer.print(function, head + " " + symbols[function.getName()])))
        signalPassFailure();
    }
  }
};
} // namespace

} // namespace formwork
