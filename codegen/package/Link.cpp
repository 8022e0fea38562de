// Runs the compiler driver on temporary object files; what it says on failure is in the error.
#include "codegen/package/Link.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Object/Archive.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace formwork::package {

namespace {
/// A folder that lives as long as this.
class TemporaryFolder {
public:
  TemporaryFolder() { code = sys::fs::createUniqueDirectory("formwork", folder); }
  ~TemporaryFolder() {
    if (!code)
      sys::fs::remove_directories(folder);
  }
  Error error() const {
    return code ? createStringError(code, "cannot make a temporary folder: " + code.message())
                : Error::success();
  }
  std::string file(StringRef name) const { return (folder + "/" + name).str(); }

private:
  SmallString<128> folder;
  std::error_code code;
};
} // namespace

static Error writeFile(StringRef path, StringRef content) {
  std::error_code code;
  raw_fd_ostream stream(path, code);
  if (!code) {
    stream << content;
    stream.close();
    code = stream.error();
    stream.clear_error();
  }
  return code ? createStringError(code, "cannot write '" + path + "': " + code.message())
              : Error::success();
}

static Expected<std::string> findDriver() {
  SmallVector<std::string> names{"c++", "g++", "clang++"};
  if (auto chosen = sys::Process::GetEnv("CXX"))
    names.insert(names.begin(), *chosen);
  for (const std::string &name : names)
    if (auto path = sys::findProgramByName(name))
      return *path;
  return createStringError("linking needs a C++ compiler driver, and there is none of " +
                           join(names, ", ") +
                           " in PATH; install g++ or clang, or use --emit=static");
}

static Error run(ArrayRef<std::string> command, const TemporaryFolder &folder) {
  std::string said = folder.file("stderr"), problem;
  SmallVector<StringRef> arguments(command.begin(), command.end());
  std::optional<StringRef> redirects[] = {StringRef(), StringRef(said), StringRef(said)};
  int status = sys::ExecuteAndWait(command.front(), arguments, std::nullopt, redirects,
                                   /*SecondsToWait=*/0, /*MemoryLimit=*/0, &problem);
  if (status == 0)
    return Error::success();
  if (auto text = MemoryBuffer::getFile(said))
    problem += (*text)->getBuffer();
  return createStringError("linking failed: " + join(command, " ") + "\n" + problem);
}

/// Runs the driver with `options` around the objects.
static Error link(StringRef path, ArrayRef<Member> members, ArrayRef<std::string> before,
                  ArrayRef<std::string> after) {
  TemporaryFolder folder;
  if (Error error = folder.error())
    return error;
  Expected<std::string> driver = findDriver();
  if (!driver)
    return driver.takeError();
  SmallVector<std::string> command{*driver};
  append_range(command, before);
  for (const Member &member : members) {
    command.push_back(folder.file(member.name));
    if (Error error = writeFile(command.back(), member.content))
      return error;
  }
  append_range(command, after);
  if (sys::findProgramByName("ld.lld"))
    command.push_back("-fuse-ld=lld");
  append_range(command, ArrayRef<std::string>{"-o", path.str()});
  return run(command, folder);
}

Expected<Archive> readArchive(StringRef path) {
  auto file = MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file)
    return createStringError(file.getError(), "cannot read '" + path +
                                                  "': " + file.getError().message() +
                                                  "; is Formwork installed as a whole?");
  Archive archive;
  archive.file = std::move(*file);
  auto opened = object::Archive::create(*archive.file);
  if (!opened)
    return opened.takeError();
  Error problem = Error::success();
  for (const object::Archive::Child &child : (*opened)->children(problem)) {
    Expected<StringRef> name = child.getName(), content = child.getBuffer();
    if (!name || !content)
      return joinErrors(name.takeError(), content.takeError());
    archive.members.push_back({name->str(), *content});
  }
  if (problem)
    return std::move(problem);
  return archive;
}

Error writeStaticLibrary(StringRef path, ArrayRef<Member> members) {
  SmallVector<NewArchiveMember> content;
  for (const Member &member : members)
    content.emplace_back(MemoryBufferRef(member.content, member.name));
  // To a buffer: writing an archive to a full disk ends the process.
  auto archive =
      writeArchiveToBuffer(content, SymtabWritingMode::NormalSymtab, object::Archive::K_GNU,
                           /*Deterministic=*/true, /*Thin=*/false);
  return archive ? writeFile(path, (*archive)->getBuffer()) : archive.takeError();
}

Error writeObject(StringRef path, ArrayRef<Member> members) {
  return link(path, members, {"-r", "-nostdlib"}, {});
}

Error writeSharedLibrary(StringRef path, StringRef soname, ArrayRef<Member> members) {
  return link(
      path, members, {"-shared", "-nostdlib"},
      {"-lc", "-Wl,--no-undefined,--gc-sections,-z,noexecstack", "-Wl,-soname," + soname.str()});
}

Error writeProgram(StringRef path, ArrayRef<Member> members, StringRef libraryFolder) {
  std::string archive = (libraryFolder + "/libformwork_runtime.a").str();
  if (!sys::fs::exists(archive))
    return createStringError("the runtime is not where this program expects it, at '" + archive +
                             "'; is Formwork installed as a whole?");
  return link(path, members, {},
              {archive, "-pthread", "-ldl", "-Wl,--gc-sections,-z,noexecstack",
               "-Wl,-rpath," + libraryFolder.str()});
}

} // namespace formwork::package
