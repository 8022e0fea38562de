// A safetensors file.
#include "runtime/io/Safetensors.h"
#include "tests/fuzz/Files.h"

using namespace formwork::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  return expectErrors([&] {
    for (const Array &array : readSafetensors(fileOf(data, size), "file").arrays)
      touch(array);
  });
}
