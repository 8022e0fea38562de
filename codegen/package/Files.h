// Files that are there whole or not at all.
#pragma once

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace formwork::package {

/// Files that appear together: each is written under a temporary name in its own folder, and
/// `commit` renames them. What was not committed is removed.
class Outputs {
public:
  Outputs() = default;
  Outputs(const Outputs &) = delete;
  Outputs &operator=(const Outputs &) = delete;
  ~Outputs();

  /// The temporary name of what will be at `path`, for a program that writes it.
  llvm::Expected<std::string> reserve(llvm::StringRef path);
  llvm::Error write(llvm::StringRef path, llvm::StringRef content);
  llvm::Error commit();

private:
  struct Output {
    std::string path, temporary;
  };
  std::vector<Output> outputs;
};

} // namespace formwork::package
