// Object files made into what was asked for.
//
// A static library needs no tool of the system. All else is linked by the system's C++ compiler
// driver (CXX of the environment, else c++, g++ or clang++), with lld if it is there.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

#include <string>

namespace formwork::package {

using Object = llvm::SmallVector<char, 0>;

struct Member {
  std::string name; ///< In an archive: "digits.o".
  llvm::StringRef content;
};

/// An archive's members, and the file that they lie in.
struct Archive {
  std::unique_ptr<llvm::MemoryBuffer> file;
  llvm::SmallVector<Member> members;
};
llvm::Expected<Archive> readArchive(llvm::StringRef path);

/// An ar archive with an index.
llvm::Error writeStaticLibrary(llvm::StringRef path, llvm::ArrayRef<Member> members);

/// One relocatable object.
llvm::Error writeObject(llvm::StringRef path, llvm::ArrayRef<Member> members);

/// Without start files, so that it has no constructor of any kind; what it lacks comes from libc.
/// Programs that link it will look for it as `soname`.
llvm::Error writeSharedLibrary(llvm::StringRef path, llvm::StringRef soname,
                               llvm::ArrayRef<Member> members);

/// With the runtime archive and I/O modules of `libraryFolder`.
llvm::Error writeProgram(llvm::StringRef path, llvm::ArrayRef<Member> members,
                         llvm::StringRef libraryFolder);

} // namespace formwork::package
