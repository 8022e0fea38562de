// Passes from kernels to the CPU's tile form and from there to LLVM.

#ifndef FORMWORK_CODEGEN_CPU_PASSES_TD
#define FORMWORK_CODEGEN_CPU_PASSES_TD

include "mlir/Pass/PassBase.td"

def CPUTile : Pass<"fw-cpu-tile", "::mlir::ModuleOp"> {
  let summary = "Schedule kernels: loops over chunks and tiles, vectors of rank one";
  let description = [{
    Each function with fw.kernel on tensors becomes one on buffers that computes a range of chunks,
    and one that counts its chunks.
  }];
  let options = [
    Option<"vectorBytes", "vector-bytes", "int64_t", "64", "Width of a vector register">,
    Option<"vectorRegisters", "vector-registers", "int64_t", "32", "How many there are">,
    Option<"hasFMA", "fma", "bool", "true", "Whether a fused multiply-add is an instruction">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"
  ];
}

def CPUUnroll : Pass<"fw-cpu-unroll", "::mlir::func::FuncOp"> {
  let summary = "Unroll the loops of tiles, on the way to LLVM";
  let dependentDialects = ["::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"];
}

def CPUToLLVM : Pass<"fw-cpu-to-llvm", "::mlir::ModuleOp"> {
  let summary = "Everything but structured control flow to LLVM's dialect, in one conversion";
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

#endif
