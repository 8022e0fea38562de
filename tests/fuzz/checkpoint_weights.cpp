// The HDF5 file of weights as a produced program reads it.
#include "runtime/keras_io/Weights.h"
#include "tests/fuzz/Files.h"

using namespace formwork::fuzz;

static constexpr int64_t kernelShape[] = {3, 4}, biasShape[] = {4};
static constexpr int64_t none[] = {0};

/// What the seeds hold: a Dense layer, and the first variables of its optimizer.
static constexpr formwork_variable fuzzed[] = {
    {"dense/kernel", "layers/dense/vars/0", FORMWORK_WEIGHT, FORMWORK_F32, 2, 1, kernelShape, 0, 0,
     nullptr},
    {"dense/bias", "layers/dense/vars/1", FORMWORK_WEIGHT, FORMWORK_F32, 1, 1, biasShape, 64, 0,
     nullptr},
    {"iterations", "optimizer/vars/0", FORMWORK_SLOT, FORMWORK_I64, 0, 0, none, 128, 0, nullptr},
};

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  formwork_model model = {};
  model.name = "fuzzed";
  model.variable_count = 3;
  model.variables = fuzzed;
  FileBytes file = fileOf(data, size);
  return expectErrors([&] {
    std::byte state[192] = {};
    readWeights(file.bytes, "file", model, state);
  });
}
