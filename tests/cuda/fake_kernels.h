// Printed kernels as a library for tests/cuda/fake_driver.cpp: after them,
// FORMWORK_FAKE_KERNEL(name, threads) for each.
#pragma once

#include "tests/cuda/cuda_on_cpu.h"

#include <type_traits>

namespace fake_kernels {

template <typename... Parameters> struct Shape {
  unsigned char sizes[sizeof...(Parameters) + 1] = {sizeof(Parameters)..., 0};
  unsigned char pointers[sizeof...(Parameters) + 1] = {std::is_pointer_v<Parameters>..., 0};
};
template <typename... Parameters> constexpr Shape<Parameters...> shape(void (*)(Parameters...)) {
  return {};
}

} // namespace fake_kernels

#define FORMWORK_FAKE_KERNEL(name, threads)                                                        \
  static const auto shape_##name = fake_kernels::shape(name);                                      \
  extern "C" {                                                                                     \
  void launch_##name(long long blocks, void **arguments) {                                         \
    cuda_on_cpu::launch(#name, unsigned(blocks), threads,                                          \
                        [arguments] { cuda_on_cpu::call(name, arguments); });                      \
  }                                                                                                \
  const unsigned char *sizes_##name() { return shape_##name.sizes; }                               \
  const unsigned char *pointers_##name() { return shape_##name.pointers; }                         \
  }
