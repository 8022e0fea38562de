// What scheduling may ask about a CPU: the width of its vectors, how many it holds
// at once.
#pragma once

#include <cstdint>

namespace formwork {

struct CPUTarget {
  int64_t vectorBytes = 64;
  int64_t vectorRegisters = 32;
  /// Whether a fused multiply-add is an instruction.
  bool hasFMA = true;

  static CPUTarget avx512() { return {64, 32, true}; }
  static CPUTarget avx2() { return {32, 16, true}; }
  static CPUTarget sse() { return {16, 16, false}; }
  static CPUTarget neon() { return {16, 32, true}; }
};

} // namespace formwork
