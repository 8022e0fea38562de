// Variables in row-major order, as files and callers have them, and as they lie in the state.
//
// Where a variable lies otherwise (`panel` of formwork_variable), the state of one compilation
// means nothing to another: everything that outlives a program holds row-major arrays.
#pragma once

#include "runtime/formwork.h"

#include <cstddef>
#include <vector>

namespace formwork::runtime {

/// Copies the variable's elements out of `variables`, which its offset counts from.
void readElements(const formwork_variable &, const std::byte *variables, void *elements);

/// The variable's elements where they are if they are in row-major order, else in `copy`.
const std::byte *elementsOf(const formwork_variable &, const std::byte *variables,
                            std::vector<std::byte> &copy);

/// Sets the variable to `elements`.
void writeElements(const formwork_variable &, std::byte *variables, const void *elements);

} // namespace formwork::runtime
