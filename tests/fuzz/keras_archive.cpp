// A `.keras` archive: the zip file around a configuration and weights.
#include "frontend/keras/Archive.h"
#include "tests/fuzz/Importer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string bytes(reinterpret_cast<const char *>(data), size);
  if (!formwork::keras::isArchive(bytes))
    return -1; // another format
  formwork::fuzz::import(std::move(bytes));
  return 0;
}
