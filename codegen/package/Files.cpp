// Temporary files are in the folder of the final one, since a rename does not cross file systems.
#include "codegen/package/Files.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace formwork::package {

static Error cannotWrite(StringRef path, std::error_code code) {
  return createStringError(code, "cannot write '" + path + "': " + code.message());
}

Outputs::~Outputs() {
  for (const Output &output : outputs) {
    sys::fs::remove(output.temporary);
    sys::DontRemoveFileOnSignal(output.temporary);
  }
}

Expected<std::string> Outputs::reserve(StringRef path) {
  // Else `commit` would find that it cannot be replaced when others are there already.
  if (sys::fs::is_directory(path))
    return createStringError("cannot write '" + path + "': it is a folder");
  std::string temporary = (path + ".tmp" + Twine(sys::Process::getProcessId())).str();
  int descriptor;
  if (std::error_code code = sys::fs::openFileForWrite(temporary, descriptor))
    return cannotWrite(path, code);
  sys::Process::SafelyCloseFileDescriptor(descriptor);
  outputs.push_back({path.str(), temporary});
  sys::RemoveFileOnSignal(temporary);
  return temporary;
}

Error Outputs::write(StringRef path, StringRef content) {
  Expected<std::string> temporary = reserve(path);
  if (!temporary)
    return temporary.takeError();
  std::error_code code;
  raw_fd_ostream stream(*temporary, code);
  if (!code) {
    stream << content;
    stream.close();
    code = stream.error();
    stream.clear_error();
  }
  return code ? cannotWrite(path, code) : Error::success();
}

Error Outputs::commit() {
  for (const Output &output : outputs)
    if (std::error_code code = sys::fs::rename(output.temporary, output.path))
      return cannotWrite(output.path, code);
  for (const Output &output : outputs)
    sys::DontRemoveFileOnSignal(output.temporary);
  outputs.clear();
  return Error::success();
}

} // namespace formwork::package
