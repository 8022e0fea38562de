// Reading a model's descriptor; see Descriptor.h.
#include "runtime/Descriptor.h"

#include "runtime/Error.h"

#include <algorithm>
#include <cstring>

namespace formwork::runtime {

void checkInterface(const formwork_model &model) {
  if (model.abi == FORMWORK_ABI && model.size >= sizeof(formwork_model))
    return;
  throw Error(text("the model was compiled for interface %u of Formwork, this runtime has %d: "
                   "compile the model again with the Formwork that this runtime belongs to",
                   model.abi, FORMWORK_ABI));
}

std::span<const formwork_entry> entries(const formwork_model &model) {
  return {model.entries, size_t(model.entry_count)};
}
std::span<const formwork_variable> variables(const formwork_model &model) {
  return {model.variables, size_t(model.variable_count)};
}
std::span<const formwork_tensor> buffers(const formwork_entry &entry) {
  return {entry.buffers, size_t(entry.buffer_count)};
}
std::span<const formwork_concrete> concretes(const formwork_entry &entry) {
  return {entry.concretes, size_t(entry.concrete_count)};
}
std::span<const int64_t> shape(const formwork_variable &variable) {
  return {variable.shape, size_t(variable.rank)};
}
std::span<const int64_t> shape(const formwork_tensor &tensor) {
  return {tensor.shape, size_t(tensor.rank)};
}

const formwork_entry *findEntry(const formwork_model &model, const char *name) {
  for (const formwork_entry &entry : entries(model))
    if (!strcmp(entry.name, name))
      return &entry;
  return nullptr;
}

const formwork_entry &requireEntry(const formwork_model &model, const char *name) {
  if (const formwork_entry *entry = findEntry(model, name))
    return *entry;
  std::string known;
  for (const formwork_entry &entry : entries(model))
    known += (known.empty() ? "" : ", ") + std::string(entry.name);
  throw Error(text("%s: the model has no function '%s', only: %s. To train or evaluate, compile it "
                   "with --train",
                   model.name, name, known.c_str()));
}

const formwork_concrete *dispatch(const formwork_entry &entry, const int64_t *dims) {
  for (const formwork_concrete &concrete : concretes(entry))
    if (!concrete.dims || std::equal(dims, dims + entry.dim_count, concrete.dims))
      return &concrete;
  return nullptr;
}

int64_t elementSize(int32_t dtype) {
  switch (dtype) {
  case FORMWORK_BOOL:
    return 1;
  case FORMWORK_I32:
  case FORMWORK_F32:
    return 4;
  default:
    return 8;
  }
}

const char *dtypeName(int32_t dtype) {
  static const char *const names[] = {"bool", "i32", "i64", "f32", "f64"};
  return dtype >= 0 && dtype < 5 ? names[dtype] : "?";
}

int64_t elementCount(std::span<const int64_t> sizes, const char *what) {
  // A size of 0 makes the product 0, but the others must still be sane.
  int64_t count = 1;
  bool empty = false;
  for (int64_t size : sizes) {
    empty |= size == 0;
    if (size < 0 || (size > 0 && count > (int64_t(1) << 59) / size))
      throw Error(text("%s: the shape %s is negative or beyond what can be addressed", what,
                       describeShape(sizes).c_str()));
    count *= size ? size : 1;
  }
  return empty ? 0 : count;
}

int64_t byteSize(const formwork_variable &variable) {
  return elementCount(shape(variable), variable.name) * elementSize(variable.dtype);
}

int64_t elementCount(const formwork_tensor &tensor, const int64_t *dims) {
  int64_t count = 1;
  for (int64_t size : shape(tensor))
    count *= resolve(size, dims);
  return count;
}

std::string describeShape(std::span<const int64_t> sizes) {
  std::string result = "[";
  for (int64_t size : sizes) {
    if (result.size() > 1)
      result += ",";
    if (size == -1)
      result += "?";
    else
      result += size < 0 ? text("?%lld", (long long)(-1 - size)) : text("%lld", (long long)size);
  }
  return result + "]";
}

std::string describe(const formwork_tensor &tensor) {
  return dtypeName(tensor.dtype) + describeShape(shape(tensor));
}

} // namespace formwork::runtime
