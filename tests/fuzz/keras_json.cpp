// The JSON of model.to_json().
#include "tests/fuzz/Importer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string text(reinterpret_cast<const char *>(data), size);
  size_t first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos || text[first] != '{')
    return -1; // another format
  formwork::fuzz::import(std::move(text));
  return 0;
}
