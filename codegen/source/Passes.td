// Passes that print.

#ifndef FORMWORK_CODEGEN_SOURCE_PASSES_TD
#define FORMWORK_CODEGEN_SOURCE_PASSES_TD

include "mlir/Pass/PassBase.td"

def PrintSource : Pass<"fw-print-source", "::mlir::ModuleOp"> {
  let summary = "Print each function, by the rules of the printers' core alone, to standard output";
  let description = [{
    For tests: changes nothing. Functions of nested modules are printed too.
  }];
}

#endif
