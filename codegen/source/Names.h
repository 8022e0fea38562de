// Names from a model, made fit for generated source.
//
// A model's names are untrusted: they may hold comment ends, line ends, quotes, keywords or
// nothing. What comes out of here can neither leave a comment nor an identifier.
#pragma once

#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/StringSet.h"

#include <string>

namespace formwork::source {

/// `name` as an identifier of C and C++: other characters become `_`, keywords get one appended,
/// and what does not begin with a letter gets an `n` in front.
std::string identifier(llvm::StringRef name);

/// `name` for a comment on one line: letters, digits and harmless punctuation as they are, every
/// other byte as %XX; what is longer than 120 bytes is cut.
std::string commentText(llvm::StringRef name);

/// `name` as short as a variable's should be: at most 40 characters, no `_` at its ends and none
/// twice in a row, which C++ keeps to itself.
std::string variableName(llvm::StringRef name);

/// Identifiers of one scope, none given twice and none that a scope around it has.
class Scope {
public:
  /// What this scope uses for itself.
  explicit Scope(std::initializer_list<llvm::StringRef> taken = {});
  explicit Scope(const Scope *outer) : outer(outer) {}

  /// identifier(name), cut to 60 characters, with `_` appended if it looks like a macro and _2, _3, ... if it is taken.
  std::string unique(llvm::StringRef name);
  void take(llvm::StringRef name) { taken.insert(name); }

private:
  bool has(llvm::StringRef name) const {
    return taken.contains(name) || (outer && outer->has(name));
  }
  const Scope *outer = nullptr;
  llvm::StringSet<> taken;
  /// The number that was last appended to a name.
  llvm::StringMap<int> numbers;
};

} // namespace formwork::source
