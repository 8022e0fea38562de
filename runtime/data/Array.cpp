// An array as a file holds it; see Array.h.
#include "runtime/data/Array.h"

#include "runtime/Descriptor.h"

#include <iterator>

namespace formwork::runtime {

namespace {
struct TypeInfo {
  const char *name;
  int64_t size;
};
} // namespace

// In the order of ElementType.
static constexpr TypeInfo types[] = {
    {"bool", 1}, {"i8", 1},  {"i16", 2}, {"i32", 4}, {"i64", 8}, {"u8", 1},
    {"u16", 2},  {"u32", 4}, {"u64", 8}, {"f16", 2}, {"f32", 4}, {"f64", 8},
};
static_assert(std::size(types) == size_t(ElementType::F64) + 1);

int64_t elementSize(ElementType type) { return types[size_t(type)].size; }
const char *elementName(ElementType type) { return types[size_t(type)].name; }

ElementType elementType(formwork_dtype dtype) {
  switch (dtype) {
  case FORMWORK_BOOL:
    return ElementType::Bool;
  case FORMWORK_I32:
    return ElementType::I32;
  case FORMWORK_I64:
    return ElementType::I64;
  case FORMWORK_F32:
    return ElementType::F32;
  case FORMWORK_F64:
    break;
  }
  return ElementType::F64;
}

int64_t Array::count() const { return elementCount(shape, name.c_str()); }

std::string Array::describe() const { return elementName(type) + describeShape(shape); }

} // namespace formwork::runtime
