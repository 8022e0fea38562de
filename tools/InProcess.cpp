// One place that turns object code into code that runs here: see InProcess.h.
#include "tools/InProcess.h"

#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"

using namespace llvm;

namespace formwork {

Expected<std::unique_ptr<orc::LLJIT>> loadInProcess(ArrayRef<ArrayRef<char>> objects) {
  InitializeNativeTarget();
  InitializeNativeTargetAsmPrinter();
  auto jit = orc::LLJITBuilder().create();
  if (!jit)
    return jit.takeError();
  for (ArrayRef<char> object : objects)
    if (Error error = (*jit)->addObjectFile(
            MemoryBuffer::getMemBufferCopy(StringRef(object.data(), object.size()))))
      return error;
  return jit;
}

} // namespace formwork
