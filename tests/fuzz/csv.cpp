// Comma-separated numbers.
#include "runtime/data/Csv.h"
#include "tests/fuzz/Files.h"

using namespace formwork::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  return expectErrors([&] {
    for (const Array &array : readCsv(fileOf(data, size), "file"))
      touch(array);
  });
}
