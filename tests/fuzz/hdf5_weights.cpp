// The HDF5 file of weights, without the archive around it, whose checksums no mutation would pass.
#include "frontend/keras/WeightTransfer.h"
#include "frontend/keras/Weights.h"
#include "tests/fuzz/Importer.h"

#include "mlir/IR/BuiltinOps.h"

using namespace formwork;
using namespace formwork::keras;

/// In the child: every variable that is there, as optimizer state, which may be anything.
static void readAll(std::string bytes, ImportedModel &model, Diagnostics &found) {
  auto opened = WeightFile::open(std::move(bytes));
  auto *file = std::get_if<WeightFile>(&opened);
  if (!file)
    return (void)found.add(std::get<std::string>(opened));
  for (const char *group : {"layers/dense/vars", "layers/dense_1/vars", "optimizer/vars"}) {
    (void)file->members(group);
    for (const char *name : {"/0", "/1"}) {
      std::string path = std::string(group) + name, problem;
      mlir::RankedTensorType type = file->typeOf(*model.module->getContext(), path, problem);
      auto data = type ? file->read(path, type, problem) : std::nullopt;
      if (data)
        model.optimizerState.push_back({path, type, std::move(*data)});
      else
        (void)found.add(problem);
    }
  }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string bytes(reinterpret_cast<const char *>(data), size);
  mlir::MLIRContext &context = fuzz::freshContext();
  ImportedModel model;
  model.module = mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
  Diagnostics diagnostics(context, "input");
  auto read = [&](IsolatedWriter &out) {
    Diagnostics found(context, "");
    readAll(std::move(bytes), model, found);
    sendWeights(model, found, out);
  };
  auto receive = [&](IsolatedReader &in) { return receiveWeights(in, size, model, diagnostics); };
  bool complete = runIsolated(memoryForWeights(size), read, receive);
  for (const std::string &message : diagnostics.messages())
    if (message.empty() || !complete)
      abort();
  return 0;
}
