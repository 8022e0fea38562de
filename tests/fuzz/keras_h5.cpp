// A whole model in an .h5 file, of Keras 3 or Keras 2: attributes, weights, what the optimizer
// remembers.
#include "frontend/keras/Legacy.h"
#include "tests/fuzz/Importer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string bytes(reinterpret_cast<const char *>(data), size);
  if (!formwork::keras::isLegacyFile(bytes))
    return -1; // another format
  formwork::fuzz::import(std::move(bytes));
  return 0;
}
