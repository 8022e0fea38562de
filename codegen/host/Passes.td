// Passes from a planned host schedule, and from kernels that are not scheduled, to LLVM's dialect.

#ifndef FORMWORK_CODEGEN_HOST_PASSES_TD
#define FORMWORK_CODEGEN_HOST_PASSES_TD

include "mlir/Pass/PassBase.td"

def ScalarKernels : Pass<"fw-scalar-kernels", "::mlir::ModuleOp"> {
  let summary = "Kernels as scalar loops without a schedule: for tests and `formwork verify`";
  let description = [{
    Each kernel on tensors becomes one on buffers that is a single chunk.
  }];
  let dependentDialects = [
    "::mlir::bufferization::BufferizationDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect"
  ];
}

def LowerLaunches : Pass<"fw-lower-launches", "::mlir::ModuleOp"> {
  let summary = "Launches become calls, or tasks for the context's parallel_for";
  let description = [{
    Kernels `@k(begin, end, buffers...)` move from `module @kernels` to the outer module. Host
    functions get two leading arguments: the context's parallel_for and its pool. A kernel with
    `@k.chunks` and enough work (`fw.chunk_work` operations per chunk) is split.
  }];
  let options = [
    Option<"target", "target", "std::string", "", "LLVM's triple, for the threads' floating-point mode">,
    Option<"threshold", "threshold", "int64_t", "500000",
           "Scalar operations from which on splitting pays: about 3 us">,
    Option<"profile", "profile", "bool", "false",
           "Time each launch with the functions of runtime/profile.h">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::scf::SCFDialect"
  ];
}

def EntryPoints : Pass<"fw-entry-points", "::mlir::ModuleOp"> {
  let summary = "Wrap each host function in the C interface of runtime/formwork.h";
  let description = [{
    Checks sizes, sets the floating-point mode, finds variables at their offsets in the state and
    buffers in the caller's table.
  }];
  let options = [
    Option<"name", "name", "std::string", "\"model\"", "What exported names begin with">,
    Option<"suffix", "suffix", "std::string", "", "What they end in; hidden if there is one">,
    Option<"target", "target", "std::string", "", "LLVM's triple">
  ];
  let dependentDialects = ["::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect"];
}

def PassPointers : Pass<"fw-pass-pointers", "::mlir::ModuleOp"> {
  let summary = "Functions hand on pointers and unknown sizes, not descriptors";
  let description = [{
    A buffer's type tells all else. Upstream's calls take descriptors apart and put them together
    again, which was half of a deep model's code.
  }];
  let dependentDialects = ["::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect"];
}

#endif
