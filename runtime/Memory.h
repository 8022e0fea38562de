// Zeroed memory aligned to 64 bytes, as produced code wants its state, constants and arena.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace formwork::runtime {

class AlignedMemory {
public:
  static constexpr size_t alignment = 64;

  AlignedMemory() = default;
  explicit AlignedMemory(int64_t size) : bytes(size), memory(allocate(size)) {}

  std::byte *data() { return memory.get(); }
  const std::byte *data() const { return memory.get(); }
  int64_t size() const { return bytes; }

private:
  static std::byte *allocate(int64_t size) {
    size_t rounded = (size_t(size) + alignment) / alignment * alignment; // never empty
    void *memory = std::aligned_alloc(alignment, rounded);
    if (!memory)
      throw std::bad_alloc();
    return static_cast<std::byte *>(memset(memory, 0, rounded));
  }
  struct Free {
    void operator()(std::byte *memory) const { std::free(memory); }
  };

  int64_t bytes = 0;
  std::unique_ptr<std::byte, Free> memory;
};

} // namespace formwork::runtime
