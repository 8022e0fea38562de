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

Error writePackage(Kind kind, StringRef path, const Description &description, StringRef object,
                   const Triple &triple, StringRef libraryFolder) {
  Object descriptor = emitDescriptor(description, triple);
  const Member members[] = {{description.name + ".o", object},
                            {description.name + "_model.o", contentOf(descriptor)}};
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
  if (kind != Kind::Program) {
    SmallString<128> header(path);
    sys::path::remove_filename(header);
    sys::path::append(header, description.name + ".h");
    if (Error error = outputs.write(header, printHeader(description)))
      return error;
  }
  return outputs.commit();
}

} // namespace formwork::package
