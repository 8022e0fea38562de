// Data for a model when there are none: to time it, to check it.
#pragma once

#include "runtime/Descriptor.h"

#include <cstddef>

namespace formwork::runtime {

/// Numbers in [0,1), or indices below the tensor's limit. Floats of any precision get the same
/// values.
void fillRandomly(const formwork_tensor &tensor, int64_t count, uint64_t seed, std::byte *to);

} // namespace formwork::runtime
