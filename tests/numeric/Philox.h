// Philox4x32-10 on plain integers: the reference for random numbers.
#pragma once

#include <array>
#include <cstdint>

namespace formwork::test {

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

} // namespace formwork::test
