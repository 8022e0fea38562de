// Conversions between arrays, whose values are double, and the bytes of each element type.
#include "tests/numeric/Buffer.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cstdlib>

namespace formwork::test {

static size_t sizeOfElement(const std::string &element) {
  return element == "i1" ? 1 : element == "f32" || element == "i32" ? 4 : 8;
}

Buffer::Buffer(const Array &array) : element(array.element) {
  bytes.assign(std::max<size_t>(1, array.size() * sizeOfElement(element)), char(poison));
  descriptor = {0, 0, 0};
  descriptor.insert(descriptor.end(), array.shape.begin(), array.shape.end());
  for (int64_t i = 1; i <= array.rank(); ++i)
    descriptor.push_back(countElements(Shape(array.shape.begin() + i, array.shape.end())));
}

template <typename Body> void Buffer::convert(Body body) {
  if (element == "f64")
    body(reinterpret_cast<double *>(bytes.data()));
  else if (element == "f32")
    body(reinterpret_cast<float *>(bytes.data()));
  else if (element == "i64")
    body(reinterpret_cast<int64_t *>(bytes.data()));
  else if (element == "i32")
    body(reinterpret_cast<int32_t *>(bytes.data()));
  else if (element == "i1")
    body(reinterpret_cast<bool *>(bytes.data()));
  else
    std::abort();
}

void Buffer::write(const Array &array) {
  convert([&](auto *data) {
    for (int64_t i = 0; i < array.size(); ++i)
      data[i] = array.values[i];
  });
}

void Buffer::read(Array &array) {
  convert([&](auto *data) {
    for (int64_t i = 0; i < array.size(); ++i)
      array.values[i] = data[i];
  });
}

void *Buffer::descriptorArgument() {
  descriptor[0] = descriptor[1] = reinterpret_cast<intptr_t>(bytes.data());
  pointer = descriptor.data();
  return &pointer;
}

std::vector<Buffer> buffersFor(const std::vector<Array> &arguments,
                               const std::vector<Array> &results) {
  std::vector<Buffer> buffers;
  for (const Array &argument : arguments)
    buffers.emplace_back(argument).write(argument);
  for (const Array &result : results)
    buffers.emplace_back(result);
  return buffers;
}

void readBack(std::vector<Buffer> &buffers, std::vector<Array> &arguments,
              std::vector<Array> &results) {
  for (auto [buffer, array] : llvm::zip_equal(buffers, llvm::concat<Array>(arguments, results)))
    buffer.read(array);
}

} // namespace formwork::test
