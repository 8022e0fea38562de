// From planned kernels to code for CUDA: the text of its kernels, PTX, or objects with cubins.
#pragma once

#include "codegen/Codegen.h"
#include "codegen/cuda/Nvrtc.h"

namespace formwork {

struct CUDAOptions {
  /// Exported names begin with it; a C identifier. Empty: the module's fw.name.
  std::string name;
  /// Each gets a cubin; the newest one's family gets PTX for later GPUs as well.
  std::vector<cuda::Architecture> architectures;
  /// Of the machine that the GPU is in: LLVM's names; empty for the one that compiles.
  std::string triple, cpu;
  /// What the CPU's code ends its names in, if it is linked to this; see CPUOptions.
  std::string hostSuffix;
  /// Whether products of float32 may be rounded to TF32.
  bool tf32 = false;
  /// Kernels that may keep registers in memory although they are hot; "*" for all.
  std::vector<std::string> acceptedSpills;
  /// If given, receives a table of what kernels take.
  llvm::raw_ostream *report = nullptr;
};

/// The source of all kernels, by which all else can be made. Leaves tiled kernels in the module.
mlir::FailureOr<std::string> printForCUDA(mlir::ModuleOp module, bool tf32);

/// NAME.cu and what explains it. Consumes the module.
mlir::FailureOr<std::vector<SourceFile>> sourceFolderForCUDA(mlir::ModuleOp module,
                                                             llvm::StringRef name, bool tf32);

/// PTX of all kernels. Consumes the module.
mlir::FailureOr<std::string> compileToPTX(mlir::ModuleOp module,
                                          const cuda::Architecture &architecture,
                                          llvm::StringRef name, bool tf32);

/// Consumes the module. What is linked with the objects must bring runtime/cuda.
mlir::FailureOr<Artifact> compileForCUDA(mlir::ModuleOp module, const CUDAOptions &options);

} // namespace formwork
