// An entry bound to a data set: runs it batch by batch.
#pragma once

#include "runtime/Instance.h"
#include "runtime/data/Dataset.h"

#include <string>
#include <vector>

namespace formwork::runtime {

class Step {
public:
  /// Instance, entry and data must outlive the step.
  Step(Instance &, const formwork_entry &, const Dataset &);
  ~Step();

  /// Runs the entry on `count` rows: rows[0], rows[1]... or, if `rows` is null, first, first+1...
  void run(const int64_t *rows, int64_t first, int64_t count);

  /// The batch's loss, from the last run; 0 if the entry has none. On a GPU it may be that of an
  /// earlier run: it comes when the device has it.
  double loss() const;

  /// Where the next runs put an output: for row 0 of the data set, the others follow.
  void collect(int buffer, std::byte *rowZero, int64_t rowBytes);

private:
  struct Binding {
    const formwork_tensor *tensor = nullptr;
    const Column *column = nullptr; // of inputs and targets
    std::byte *collected = nullptr; // of outputs that are kept
    int64_t rowBytes = 0;
    AlignedMemory staging;
  };
  void prepare(int64_t count);
  const void *gather(Binding &, const int64_t *rows, int64_t first, int64_t count);

  Instance &instance;
  const formwork_entry &entry;
  std::vector<Binding> bindings; // one per buffer of the entry
  std::vector<void *> pointers;
  std::vector<int64_t> dims;
  int64_t preparedFor = -1;
  const formwork_concrete *concrete = nullptr;
};

/// A model's metrics over all batches since the last reset, in the model's order, `loss` first.
class Metrics {
public:
  explicit Metrics(Instance &);
  void reset();
  /// One number each, or several of a metric that has one for each class or threshold.
  using Values = std::vector<std::pair<std::string, std::vector<double>>>;
  Values read();

private:
  Instance &instance;
  const formwork_entry &resetEntry;
  const formwork_entry &readEntry;
};

/// A scalar that an entry wrote.
double scalar(const std::byte *at, int32_t dtype);

} // namespace formwork::runtime
