// What kernels take of a GPU, as its assembler reports.
#pragma once

#include "llvm/ADT/StringRef.h"

#include <string>
#include <vector>

namespace formwork::cuda {

struct Resources {
  std::string kernel; ///< The symbol.
  int64_t registers = 0;
  int64_t sharedBytes = 0;
  int64_t stackBytes = 0;
  int64_t spillBytes = 0; ///< Stores of registers for which there was no room.
};

/// From the text that ptxas writes with -v; in its order.
std::vector<Resources> readResources(llvm::StringRef log);

} // namespace formwork::cuda
