// What a compiled model costs: its code.
#pragma once

#include "llvm/ADT/StringRef.h"

#include <cstdint>

namespace formwork {

/// Bytes of machine code in an object file.
int64_t codeSize(llvm::StringRef object);

} // namespace formwork
