// A .npz file: the zip file around .npy members.
#include "runtime/data/Npy.h"
#include "runtime/data/Zip.h"
#include "tests/fuzz/Files.h"

using namespace formwork::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FileBytes file = fileOf(data, size);
  return expectErrors([&] {
    for (const ZipMember &member : readZipDirectory(file, "file"))
      expectErrors([&] { touch(readNpy(readZipMember(file, "file", member), "file", "array")); });
  });
}
