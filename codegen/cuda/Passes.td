// Passes from kernels to the GPU's tile form.

#ifndef FORMWORK_CODEGEN_CUDA_PASSES_TD
#define FORMWORK_CODEGEN_CUDA_PASSES_TD

include "mlir/Pass/PassBase.td"

def CUDATile : Pass<"fw-cuda-tile", "::mlir::ModuleOp"> {
  let summary = "Schedule kernels: blocks, threads, shared memory and register tiles";
  let description = [{
    Each function with fw.kernel on tensors becomes one on buffers that a grid of blocks of
    `fw.threads` threads runs, and one (`.blocks`) that counts its blocks.
  }];
  let options = [
    Option<"tf32", "tf32", "bool", "false", "Whether float32 products may be rounded to TF32">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect", "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect", "::mlir::nvgpu::NVGPUDialect", "::mlir::scf::SCFDialect"
  ];
}

def CUDASplitSums : Pass<"fw-cuda-split-sums", "::mlir::ModuleOp"> {
  let summary = "Take long sums with few results apart: partial sums side by side, then their sum";
  let description = [{ Between the kernels and the plan pipeline: partial sums need memory. }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"
  ];
}

def PrintCUDA : Pass<"fw-print-cuda", "::mlir::ModuleOp"> {
  let summary = "Print kernels in the GPU's tile form as CUDA C++, to standard output";
  let description = [{ For tests: changes nothing. }];
}

#endif
