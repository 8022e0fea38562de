// What this machine can do at most, beside which a kernel's time is seen. Measured, not looked up:
// what runs beside it counts.
#pragma once

#include <cstddef>

namespace formwork::runtime {

/// FLOPs per second of float32 multiply-adds that need no memory, with the widest vectors that the
/// processor has, on so many threads at once, for about so many seconds.
double multiplyAddsPerSecond(int threads, double seconds);

/// Bytes that are read and written per second by y = y / 2 + x, whose vectors are `bytes` in all,
/// divided among the threads.
double bytesPerSecond(int threads, double seconds, size_t bytes);

/// The sizes whose bandwidth tells L1, L2, L3 and memory apart on most machines, smallest first.
constexpr size_t probedSizes[] = {24 << 10, 768 << 10, 16 << 20, 512 << 20};

/// The smallest of them that holds so many bytes, or the largest.
size_t probedSize(size_t bytes);

} // namespace formwork::runtime
