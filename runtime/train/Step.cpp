// An entry bound to a data set; see Step.h.
#include "runtime/train/Step.h"

#include "runtime/Error.h"

#include <cstring>

namespace formwork::runtime {

double scalar(const std::byte *at, int32_t dtype) {
  if (dtype == FORMWORK_F64)
    return *reinterpret_cast<const double *>(at);
  if (dtype == FORMWORK_F32)
    return *reinterpret_cast<const float *>(at);
  if (dtype == FORMWORK_I64)
    return double(*reinterpret_cast<const int64_t *>(at));
  return *reinterpret_cast<const int32_t *>(at);
}

Step::Step(Instance &instance, const formwork_entry &entry, const Dataset &data)
    : instance(instance), entry(entry), pointers(entry.buffer_count), dims(data.dims) {
  dims.resize(entry.dim_count, -1);
  for (const formwork_tensor &tensor : buffers(entry)) {
    Binding binding;
    binding.tensor = &tensor;
    if (isData(tensor)) {
      binding.column = data.find(tensor);
      if (!binding.column)
        throw Error(text("%s: '%s' takes '%s', for which there is no data", instance.model().name,
                         entry.name, tensor.name));
    }
    bindings.push_back(std::move(binding));
  }
}

Step::~Step() {
  try {
    instance.finish(); // Nothing may come for buffers that are gone.
  } catch (...) {
    // A device that failed brings nothing.
  }
}

/// Chooses the compilation for a batch size and makes room for its buffers.
void Step::prepare(int64_t count) {
  if (count == preparedFor)
    return;
  if (!dims.empty())
    dims[0] = count;
  for (size_t i = 0; i < bindings.size(); ++i) {
    Binding &binding = bindings[i];
    const formwork_tensor &tensor = *binding.tensor;
    if (isData(tensor) && tensor.rank && tensor.shape[0] >= 0 && tensor.shape[0] != count)
      throw Error(text("%s: '%s' was compiled for batches of %lld only, but there is one of %lld: "
                       "use --batch-size %lld and a multiple of it as the number of samples",
                       instance.model().name, entry.name, (long long)tensor.shape[0],
                       (long long)count, (long long)tensor.shape[0]));
    int64_t size = elementCount(tensor, dims.data()) * elementSize(tensor.dtype);
    if (!binding.collected && (size > binding.staging.size() || !binding.staging.data())) {
      instance.finish(); // What the last run fills may still be under way.
      binding.staging = AlignedMemory(size);
    }
    pointers[i] = binding.staging.data();
  }
  concrete = &instance.select(entry, dims.data());
  preparedFor = count;
}

/// Casts one number and writes it `times` times; behind what it wrote.
static std::byte *repeat(const Column &column, int64_t row, int64_t times, std::byte *to) {
  if (times == 0)
    return to;
  int64_t size = elementSize(column.tensor->dtype);
  column.convert(column.row(row), to, 1);
  for (int64_t i = 1; i < times; ++i)
    memcpy(to + i * size, to, size);
  return to + times * size;
}

/// The rows' elements in the model's type: in the data set itself where that is possible.
const void *Step::gather(Binding &binding, const int64_t *rows, int64_t first, int64_t count) {
  const Column &column = *binding.column;
  if (!rows && column.direct)
    return column.row(first);
  std::byte *to = binding.staging.data();
  if (column.repeats) {
    int64_t times = elementCount(*binding.tensor, dims.data()) / count;
    for (int64_t i = 0; i < count; ++i)
      to = repeat(column, rows ? rows[i] : first + i, times, to);
    return binding.staging.data();
  }
  if (!rows) {
    column.convert(column.row(first), to, count * column.rowElements);
    return to;
  }
  int64_t stride = column.rowElements * elementSize(binding.tensor->dtype);
  for (int64_t i = 0; i < count; ++i, to += stride)
    column.convert(column.row(rows[i]), to, column.rowElements);
  return binding.staging.data();
}

void Step::run(const int64_t *rows, int64_t first, int64_t count) {
  prepare(count);
  for (size_t i = 0; i < bindings.size(); ++i) {
    if (bindings[i].column)
      pointers[i] = const_cast<void *>(gather(bindings[i], rows, first, count));
    else if (bindings[i].collected)
      pointers[i] = bindings[i].collected + first * bindings[i].rowBytes;
  }
  instance.start(entry, *concrete, dims.data(), pointers.data());
}

double Step::loss() const {
  for (const Binding &binding : bindings)
    if (binding.tensor->role == FORMWORK_LOSS)
      return scalar(binding.staging.data(), binding.tensor->dtype);
  return 0;
}

void Step::collect(int buffer, std::byte *rowZero, int64_t rowBytes) {
  bindings[buffer].collected = rowZero;
  bindings[buffer].rowBytes = rowBytes;
}

Metrics::Metrics(Instance &instance)
    : instance(instance), resetEntry(requireEntry(instance.model(), "reset_metrics")),
      readEntry(requireEntry(instance.model(), "metrics")) {}

void Metrics::reset() { instance.run(resetEntry, nullptr, nullptr); }

Metrics::Values Metrics::read() {
  int64_t numbers = 0;
  for (const formwork_tensor &tensor : buffers(readEntry))
    numbers += elementCount(tensor, nullptr);
  AlignedMemory values(numbers * 8);
  std::vector<void *> pointers;
  std::byte *next = values.data();
  for (const formwork_tensor &tensor : buffers(readEntry)) {
    pointers.push_back(next);
    next += elementCount(tensor, nullptr) * 8;
  }
  instance.run(readEntry, nullptr, pointers.data());
  Values result;
  for (size_t i = 0; i < pointers.size(); ++i) {
    const formwork_tensor &tensor = readEntry.buffers[i];
    std::vector<double> &metric = result.emplace_back(tensor.name, std::vector<double>()).second;
    for (int64_t k = 0; k < elementCount(tensor, nullptr); ++k)
      metric.push_back(scalar(static_cast<std::byte *>(pointers[i]) + k * elementSize(tensor.dtype),
                              tensor.dtype));
  }
  return result;
}

} // namespace formwork::runtime
