// Runs object code in this process, the machine's own.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"

#include <memory>

namespace formwork {

/// Links the objects with each other. What they export is there for `lookup` as long as the result
/// lives.
llvm::Expected<std::unique_ptr<llvm::orc::LLJIT>>
loadInProcess(llvm::ArrayRef<llvm::ArrayRef<char>> objects);

} // namespace formwork
