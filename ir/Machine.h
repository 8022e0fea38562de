// What decomposition may know of the machine that a module is compiled for.
#pragma once

#include "llvm/ADT/StringRef.h"

namespace formwork {

/// Of the module: thousands of threads run at the same time, which a loop of steps that wait for
/// each other would leave idle.
inline constexpr llvm::StringLiteral manyThreadsAttr = "fw.many_threads";

} // namespace formwork
