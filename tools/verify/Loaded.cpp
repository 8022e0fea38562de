// Links object and descriptor in memory; see Loaded.h.
#include "tools/verify/Loaded.h"

#include "codegen/package/Descriptor.h"
#include "runtime/data/RandomData.h"
#include "runtime/train/Step.h"
#include "tools/InProcess.h"

using namespace llvm;

namespace formwork {

//===--- loading ---------------------------------------------------------------------------------

LoadedModel::LoadedModel(std::unique_ptr<orc::LLJIT> code, const formwork_model &model)
    : code(std::move(code)),
      ownInstance(std::make_unique<runtime::Instance>(model, formwork_context{})) {
  ownInstance->initialize(/*seed=*/0);
}
LoadedModel::LoadedModel(LoadedModel &&) = default;
LoadedModel::~LoadedModel() = default;

Expected<LoadedModel> LoadedModel::load(const CompiledModel &compiled) {
  auto descriptor = package::emitDescriptor(compiled.description, compiled.triple);
  auto jit = loadInProcess({compiled.artifact.object, descriptor});
  if (!jit)
    return jit.takeError();
  auto get = (*jit)->lookup(compiled.description.name + "_model");
  if (!get)
    return get.takeError();
  return LoadedModel(std::move(*jit), *get->toPtr<const formwork_model *()>()());
}

//===--- calling ---------------------------------------------------------------------------------

static int64_t countOf(const formwork_tensor &tensor) {
  return runtime::elementCount(tensor, /*dims=*/nullptr);
}

Call::Call(LoadedModel &loaded, const char *name, int64_t seed)
    : instance(loaded.instance()), entry(runtime::requireEntry(loaded.model(), name)) {
  assert(entry.dim_count == 0 && "sizes were fixed");
  for (const formwork_tensor &tensor : runtime::buffers(entry)) {
    int64_t count = countOf(tensor);
    memory.emplace_back(count * runtime::elementSize(tensor.dtype));
    if (runtime::isData(tensor))
      runtime::fillRandomly(tensor, count, uint64_t(seed) + memory.size(), memory.back().data());
    pointers.push_back(memory.back().data());
  }
}

void Call::run() { instance.run(entry, /*dims=*/nullptr, pointers.data()); }

std::vector<double> Call::values(int buffer) const {
  const formwork_tensor &tensor = entry.buffers[buffer];
  std::vector<double> result(countOf(tensor));
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = runtime::scalar(memory[buffer].data() + i * runtime::elementSize(tensor.dtype),
                                tensor.dtype);
  return result;
}

double Call::loss() const {
  for (int i = 0; i < size(); ++i)
    if (tensor(i).role == FORMWORK_LOSS)
      return values(i).front();
  return 0;
}

} // namespace formwork
