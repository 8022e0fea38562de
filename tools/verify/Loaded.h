// A compiled model in this process, to be run and looked at.
#pragma once

#include "runtime/Instance.h"
#include "tools/Compile.h"

#include "llvm/Support/Error.h"

#include <memory>

namespace llvm::orc {
class LLJIT;
}

namespace formwork {

class LoadedModel {
public:
  static llvm::Expected<LoadedModel> load(const CompiledModel &compiled);
  LoadedModel(LoadedModel &&);
  ~LoadedModel();

  /// Its own variables, as the model has them at first; serial.
  runtime::Instance &instance() { return *ownInstance; }
  const formwork_model &model() const { return ownInstance->model(); }

private:
  LoadedModel(std::unique_ptr<llvm::orc::LLJIT> code, const formwork_model &model);

  std::unique_ptr<llvm::orc::LLJIT> code;
  std::unique_ptr<runtime::Instance> ownInstance;
};

/// One entry of a model with a buffer for each thing that it reads or writes.
class Call {
public:
  /// Inputs are random numbers in [0,1), or indices where the model has a limit: by `seed` and the
  /// buffer's position alone, so that all variants of a model are given the same.
  Call(LoadedModel &loaded, const char *entry, int64_t seed);

  void run();
  int size() const { return int(memory.size()); }
  const formwork_tensor &tensor(int buffer) const { return entry.buffers[buffer]; }
  /// A buffer's elements, whatever their type.
  std::vector<double> values(int buffer) const;
  /// The batch's loss, from the last run.
  double loss() const;

private:
  runtime::Instance &instance;
  const formwork_entry &entry;
  std::vector<runtime::AlignedMemory> memory;
  std::vector<void *> pointers;
};

} // namespace formwork
