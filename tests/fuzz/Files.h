// What the targets for the runtime's files share.
#pragma once

#include "runtime/Error.h"
#include "runtime/data/Array.h"
#include "runtime/io/File.h"

#include <cstdlib>
#include <cstring>

namespace formwork::fuzz {

using namespace formwork::runtime;

/// The input as a file of its own memory, so that reading beyond its end is seen.
inline FileBytes fileOf(const uint8_t *data, size_t size) {
  auto copy = std::make_shared<std::unique_ptr<std::byte[]>>(new std::byte[size ? size : 1]);
  if (size)
    memcpy(copy->get(), data, size);
  return {{copy->get(), size}, copy};
}

/// Reads every byte of an array.
inline void touch(const Array &array) {
  unsigned sum = 0;
  for (int64_t i = 0; i < array.bytes(); ++i)
    sum += unsigned(array.data[i]);
  [[maybe_unused]] volatile unsigned sink = sum;
}

/// Runs the reader; an Error must say something, and nothing else may be thrown.
template <typename Function> int expectErrors(Function function) {
  try {
    function();
  } catch (const Error &error) {
    if (!*error.what())
      abort();
  }
  return 0;
}

} // namespace formwork::fuzz
