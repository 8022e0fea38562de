// What scheduling may ask about a CPU: the width of its vectors and how many it holds at once.
#pragma once

#include <cstdint>

namespace formwork {

struct CPUTarget {
  int64_t vectorBytes = 64;
  int64_t vectorRegisters = 32;

  static CPUTarget avx512() { return {64, 32}; }
  static CPUTarget avx2() { return {32, 16}; }
  static CPUTarget sse() { return {16, 16}; }
};

} // namespace formwork
