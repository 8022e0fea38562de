// The C header of a produced library.
#pragma once

#include "codegen/package/Description.h"

namespace formwork::package {

/// The whole of NAME.h: stands alone, compiles as C99 without warnings, and as C++17 adds a class
/// that owns state and arena.
std::string printHeader(const Description &description);

} // namespace formwork::package
