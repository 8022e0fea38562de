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

def NameBuffers : Pass<"fw-name-buffers", "::mlir::ModuleOp"> {
  let summary = "Say what buffers hold, as attributes that printers name variables after";
  let description = [{
    Sets `fw.name` of each kernel's arguments, of host functions' variables and sizes, and of parts
    of the arena: the name of the input, variable or layer whose values are there.
  }];
}

def OutlineMath : Pass<"fw-outline-math", "::mlir::ModuleOp"> {
  let summary = "Make a function of each exp, log and the like that is to be expanded";
  let description = [{
    Before fw-expand-math, so that what is expanded is read once. Names say what it is of:
    `exp_f32x16`.
  }];
  let dependentDialects = ["::mlir::func::FuncDialect"];
}

#endif
