// The order in which an epoch sees its samples: a pure function of (seed, pass over the data), so
// that a resumed run continues with the order it would have had, on any machine.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace formwork::runtime {

/// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): the four
/// random words of a counter.
std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, uint64_t key);

/// A random order of 0..count-1, by Fisher and Yates.
std::vector<int64_t> shuffledOrder(int64_t count, uint64_t seed, uint64_t pass);

} // namespace formwork::runtime
