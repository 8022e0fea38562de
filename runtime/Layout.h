// Variables in row-major order, as files and callers have them, and as they lie in the state.
//
// Where a variable lies otherwise (`panel` of formwork_variable), the state of one compilation
// means nothing to another: everything that outlives a program holds row-major arrays.
#pragma once

#include "runtime/formwork.h"

#include <cstddef>

namespace formwork::runtime {

inline bool isRowMajor(const formwork_variable &variable) { return variable.panel == 0; }

/// Copies the variable's elements out of `variables`, which its offset counts from.
void readElements(const formwork_variable &, const std::byte *variables, void *elements);

/// Sets the variable to `elements`.
void writeElements(const formwork_variable &, std::byte *variables, const void *elements);

} // namespace formwork::runtime
