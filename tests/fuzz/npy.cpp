// A .npy file.
#include "runtime/data/Npy.h"
#include "tests/fuzz/Files.h"

using namespace formwork::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  return expectErrors([&] { touch(readNpy(fileOf(data, size), "file", "array")); });
}
