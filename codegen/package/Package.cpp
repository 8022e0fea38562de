// Puts object, descriptor and header together.
#include "codegen/package/Package.h"

#include "codegen/package/Descriptor.h"
#include "codegen/package/Files.h"
#include "codegen/package/Header.h"
#include "codegen/package/Link.h"

#include "llvm/Support/Path.h"

using namespace llvm;

namespace formwork::package {

static StringRef contentOf(const Object &object) { return {object.data(), object.size()}; }

static Error writeProgramOf(StringRef path, ArrayRef<Member> members, StringRef name,
                            const Triple &triple, StringRef libraryFolder) {
  Object main = emitMain(name, triple);
  SmallVector<Member> all(members);
  all.push_back({"main.o", contentOf(main)});
  return writeProgram(path, all, libraryFolder);
}

/// The objects of the runtime that the model's code for GPUs calls.
static Expected<Archive> acceleratorRuntime(Kind kind, const Description &description,
                                            StringRef libraryFolder) {
  if (!description.accelerator)
    return Archive();
  if (kind == Kind::Object)
    return createStringError("a single object cannot hold the runtime for GPUs, of which a program "
                             "may have only one: use --emit=static");
  return readArchive(
      (libraryFolder + "/lib" + description.accelerator->runtime + "_runtime.a").str());
}

/// What is linked: the model's objects, the descriptor, the runtime's objects.
static SmallVector<Member> gather(const Description &description, ArrayRef<StringRef> objects,
                                  const Object &descriptor, const Archive &runtime) {
  SmallVector<Member> members;
  for (auto [i, object] : enumerate(objects))
    members.push_back({description.name + (i ? "_" + std::to_string(i) : "") + ".o", object});
  members.push_back({description.name + "_model.o", contentOf(descriptor)});
  append_range(members, runtime.members);
  return members;
}

Error writePackage(Kind kind, StringRef path, const Description &description,
                   ArrayRef<StringRef> objects, const Triple &triple, StringRef libraryFolder) {
  Object descriptor = emitDescriptor(description, triple);
  Expected<Archive> runtime = acceleratorRuntime(kind, description, libraryFolder);
  if (!runtime)
    return runtime.takeError();
  SmallVector<Member> members = gather(description, objects, descriptor, *runtime);
  Outputs outputs;
  Expected<std::string> temporary = outputs.reserve(path);
  if (!temporary)
    return temporary.takeError();
  auto write = [&]() -> Error {
    switch (kind) {
    case Kind::Program:
      return writeProgramOf(*temporary, members, description.name, triple, libraryFolder);
    case Kind::StaticLibrary:
      return writeStaticLibrary(*temporary, members);
    case Kind::SharedLibrary:
      return writeSharedLibrary(*temporary, sys::path::filename(path), members);
    case Kind::Object:
      return writeObject(*temporary, members);
    }
    llvm_unreachable("a kind of package");
  };
  if (Error error = write())
    return error;
  auto writeBeside = [&](const std::string &name, StringRef content) -> Error {
    SmallString<128> file(path);
    sys::path::remove_filename(file);
    sys::path::append(file, name);
    return outputs.write(file, content);
  };
  if (kind != Kind::Program)
    if (Error error = writeBeside(description.name + ".h", printHeader(description)))
      return error;
  // A program reads files that others can read, too.
  if (kind != Kind::Program && !description.outside.empty())
    if (Error error = writeBeside(description.weightsFile(),
                                  {description.outside.data(), description.outside.size()}))
      return error;
  return outputs.commit();
}

} // namespace formwork::package
