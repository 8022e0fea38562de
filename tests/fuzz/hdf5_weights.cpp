// The HDF5 file of weights, without the archive around it, whose checksums no mutation would pass.
#include "frontend/keras/WeightTransfer.h"
#include "frontend/keras/Weights.h"
#include "tests/fuzz/Importer.h"

#include "mlir/IR/BuiltinOps.h"

using namespace formwork;
using namespace formwork::keras;

/// Every variable that is there, as optimizer state, which may be anything.
static void readAll(WeightFile &file, ImportedModel &model, Diagnostics &found) {
  for (const char *group : {"layers/dense/vars", "layers/dense_1/vars", "optimizer/vars"}) {
    (void)file.members(group);
    for (const char *name : {"/0", "/1"}) {
      std::string path = std::string(group) + name, problem;
      mlir::RankedTensorType type = file.typeOf(*model.module->getContext(), path, problem);
      auto data = type ? file.read(path, type, problem) : std::nullopt;
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
  (void)readAttributesIsolated(bytes, {"model_config", "training_config"});
  readWeightsIsolated(std::move(bytes), "the file", model, diagnostics, readAll);
  for (const std::string &message : diagnostics.messages())
    if (message.empty())
      abort();
  return 0;
}
