// An array as a file holds it: its own element type, row-major, in the file's bytes where they are.
#pragma once

#include "runtime/formwork.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace formwork::runtime {

enum class ElementType : uint8_t { Bool, I8, I16, I32, I64, U8, U16, U32, U64, F16, F32, F64 };

int64_t elementSize(ElementType);
const char *elementName(ElementType);
ElementType elementType(formwork_dtype);

struct Array {
  std::string file; // for diagnostics
  std::string name;
  ElementType type = ElementType::F32;
  std::vector<int64_t> shape;
  const std::byte *data = nullptr; // may be unaligned
  std::shared_ptr<const void> owner;

  int64_t count() const;
  int64_t bytes() const { return count() * elementSize(type); }
  /// `u8[1797,64]`
  std::string describe() const;
};

} // namespace formwork::runtime
