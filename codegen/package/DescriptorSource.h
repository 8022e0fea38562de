// The `formwork_model` of runtime/formwork.h as C++.
#pragma once

#include "codegen/package/Description.h"

#include "llvm/ADT/StringRef.h"

namespace formwork::package {

/// The text of a string literal: printable characters as they are, all others as \ooo. Nothing in
/// it ends the literal, and nothing makes a trigraph.
std::string quoted(llvm::StringRef text);

/// NAME_model.cpp: defines NAME_model, and NAME_constants and NAME_initial_state if `embedded`;
/// else they are defined elsewhere. No static constructor.
std::string printDescriptor(const Description &description, bool embedded);

} // namespace formwork::package
