#include "tests/support/HostCompiler.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include <dlfcn.h>

namespace formwork::test {

//===--- files -----------------------------------------------------------------------------------

TemporaryFolder::TemporaryFolder() {
  if (std::error_code code = llvm::sys::fs::createUniqueDirectory("formwork-test", folder))
    llvm::report_fatal_error("no temporary folder: " + llvm::Twine(code.message()));
}

TemporaryFolder::~TemporaryFolder() {
  if (!kept)
    (void)llvm::sys::fs::remove_directories(folder);
}

std::string TemporaryFolder::file(llvm::StringRef name) const {
  llvm::SmallString<64> path = folder;
  llvm::sys::path::append(path, name);
  return path.str().str();
}

void TemporaryFolder::write(const SourceFile &source) const {
  std::error_code code;
  llvm::raw_fd_ostream out(file(source.name), code);
  out << source.text;
  out.close();
  if (!code)
    code = out.error();
  if (code)
    llvm::report_fatal_error("cannot write " + llvm::Twine(file(source.name)) + ": " +
                             code.message());
}

//===--- the compiler ----------------------------------------------------------------------------

HostCompiler::HostCompiler(llvm::StringRef name, llvm::ArrayRef<std::string> options,
                           const SourceFile &first)
    : options(options), header(folder.file(first.name)) {
  auto found = llvm::sys::findProgramByName(name);
  if (!found)
    llvm::report_fatal_error("there is no " + name);
  program = *found;
  folder.write(first);
  // Both compilers look for a file of this name when they are to include the header.
  if (!run({"-x", "c++-header", header, "-o", header + ".gch"}))
    llvm::report_fatal_error("does not compile: " + llvm::Twine(header));
}

bool HostCompiler::run(llvm::ArrayRef<std::string> arguments) const {
  llvm::SmallVector<llvm::StringRef> words = {program, "-std=c++17", "-fPIC", "-march=native",
                                              "-ffp-contract=off"};
  words.append(options.begin(), options.end());
  words.append(arguments.begin(), arguments.end());
  return llvm::sys::ExecuteAndWait(program, words) == 0;
}

void *HostCompiler::load(llvm::ArrayRef<SourceFile> files) const {
  TemporaryFolder own;
  std::string library = own.file("library.so");
  std::vector<std::string> arguments = {"-include", header, "-I",   folder.path().str(),
                                        "-shared",  "-o",   library};
  for (const SourceFile &file : files) {
    own.write(file);
    if (llvm::StringRef(file.name).ends_with(".cpp"))
      arguments.push_back(own.file(file.name));
  }
  void *handle = run(arguments) ? dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL) : nullptr;
  if (!handle) {
    own.keep();
    llvm::errs() << "does not compile or load: " << own.path() << "\n";
  }
  return handle;
}

} // namespace formwork::test
