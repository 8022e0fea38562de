// A compiler of the system that makes printed source callable in this process.
#pragma once

#include "codegen/Codegen.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringRef.h"

namespace formwork::test {

/// A folder of its own for files that nobody needs afterwards. Ends the process if there is no
/// room.
class TemporaryFolder {
public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder &) = delete;

  llvm::StringRef path() const { return folder; }
  std::string file(llvm::StringRef name) const;
  void write(const SourceFile &file) const;
  /// Leaves it where it is, to be looked at.
  void keep() { kept = true; }

private:
  llvm::SmallString<64> folder;
  bool kept = false;
};

/// Not thread-safe. Processes that are forked off may compile at the same time.
class HostCompiler {
public:
  /// g++ or clang++, by name or path, and what it is told beside the language, this machine, and
  /// that products and sums are rounded apart. `header` stands before all that is compiled, and is
  /// read only once: reading it takes as long as most of what is compiled. Ends the process if it
  /// does not compile.
  HostCompiler(llvm::StringRef program, llvm::ArrayRef<std::string> options,
               const SourceFile &header);

  /// The library of these files, loaded for the life of the process; those whose names end in .cpp
  /// are compiled. Null, after what the compiler says and where the files are, if they do not
  /// compile or load.
  void *load(llvm::ArrayRef<SourceFile> files) const;

private:
  bool run(llvm::ArrayRef<std::string> arguments) const;

  std::string program;
  std::vector<std::string> options;
  TemporaryFolder folder;
  std::string header;
};

} // namespace formwork::test
