// Adds up the sections of code.
#include "tools/Cost.h"

#include "llvm/Object/ObjectFile.h"

using namespace llvm;

namespace formwork {

int64_t codeSize(StringRef object) {
  auto file = llvm::object::ObjectFile::createObjectFile(llvm::MemoryBufferRef(object, "model"));
  if (!file) {
    llvm::consumeError(file.takeError());
    return 0;
  }
  int64_t size = 0;
  for (const llvm::object::SectionRef &section : (*file)->sections())
    if (section.isText())
      size += section.getSize();
  return size;
}

} // namespace formwork
