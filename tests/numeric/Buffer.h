// An array's bytes in its element type, as produced code takes them.
#pragma once

#include "tests/numeric/Array.h"

namespace formwork::test {

/// All bits set is NaN in every floating-point type, and no likely integer.
constexpr int poison = 0xff;

/// Fixed in memory only while it is not moved.
class Buffer {
public:
  /// Poisoned memory for an array of this shape and element type.
  explicit Buffer(const Array &array);

  void write(const Array &array);
  void read(Array &array);

  /// Dense elements in row-major order.
  void *data() { return bytes.data(); }
  /// The address of a pointer to a memref descriptor.
  void *descriptorArgument();

private:
  template <typename Body> void convert(Body body);

  std::string element;
  std::vector<char> bytes;
  std::vector<int64_t> descriptor;
  int64_t *pointer = nullptr;
};

/// The buffers of a call, arguments first: their values, and poison for the results.
std::vector<Buffer> buffersFor(const std::vector<Array> &arguments,
                               const std::vector<Array> &results);

/// What a call has left in the buffers made for it.
void readBack(std::vector<Buffer> &buffers, std::vector<Array> &arguments,
              std::vector<Array> &results);

} // namespace formwork::test
