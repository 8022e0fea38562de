// What fw-cuda-host leaves for those who write the code's tables.
#pragma once

#include "mlir/IR/BuiltinOps.h"

#include <string>
#include <vector>

namespace formwork::cuda {

/// On the module: a string of bytes.
constexpr llvm::StringLiteral literalsName = "fw.cuda.literals";
/// On host functions whose work depends on sizes and addresses alone.
constexpr llvm::StringLiteral straightName = "fw.cuda.straight";

struct KernelEntry {
  std::string name;   ///< As launches know it.
  std::string symbol; ///< In printed source and in images.
  int64_t threads;
};

/// The kernels of a module after fw-cuda-tile, in the order of their numbers.
std::vector<KernelEntry> listKernels(mlir::ModuleOp module);

} // namespace formwork::cuda
