// A package on disk: what a customer links or runs.
#pragma once

#include "codegen/package/Description.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/TargetParser/Triple.h"

namespace formwork::package {

enum class Kind { Program, StaticLibrary, SharedLibrary, Object };

/// Writes `path` and, for all but a program, NAME.h and weights that are to be outside beside it:
/// all or none. `objects` hold the model's functions; `libraryFolder` the runtime that a program is
/// linked with, and the one for GPUs, which all but a single object have in them.
llvm::Error writePackage(Kind kind, llvm::StringRef path, const Description &description,
                         llvm::ArrayRef<llvm::StringRef> objects, const llvm::Triple &triple,
                         llvm::StringRef libraryFolder);

} // namespace formwork::package
