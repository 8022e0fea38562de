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

def CUDAUniteUpdates : Pass<"fw-cuda-unite-updates", "::mlir::ModuleOp"> {
  let summary = "One launch for the pointwise updates of all variables at a function's end";
  let description = [{ Between the kernels and the plan pipeline: launches move to the end. }];
}

def PrintCUDA : Pass<"fw-print-cuda", "::mlir::ModuleOp"> {
  let summary = "Print kernels in the GPU's tile form as CUDA C++, to standard output";
  let description = [{ For tests: changes nothing. }];
}

def CUDAHost : Pass<"fw-cuda-host", "::mlir::ModuleOp"> {
  let summary = "Launches, copies and single elements of host schedules to calls of the device";
  let description = [{
    After fw-cuda-tile. The calls are those of runtime/cuda/interface.h. Kernels disappear.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"
  ];
}

def CUDAEntryPoints : Pass<"fw-cuda-entry-points", "::mlir::ModuleOp"> {
  let summary = "Wrap each host function in the C interface of runtime/formwork.h";
  let options = [
    Option<"name", "name", "std::string", "\"model\"", "What exported names begin with">,
    Option<"hostSuffix", "host-suffix", "std::string", "",
           "What the names of the CPU's code end in; empty if there is none">
  ];
  let dependentDialects = ["::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect"];
}

#endif
