// Where the time of a function goes: by kernel, as runtime/profile.h's functions have booked it.
#pragma once

#include <cstdint>
#include <vector>

namespace formwork::runtime {

struct KernelProfile {
  const char *kernel, *layers; // layers with commas between, empty if none
  int64_t calls = 0;
  double seconds = 0;           // the median of a launch times the calls
  int64_t flops = 0, bytes = 0; // of all calls; 0 if unknown
};

/// What was booked since the last call, in the order of first calls.
std::vector<KernelProfile> takeProfile();

} // namespace formwork::runtime
