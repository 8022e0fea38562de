// A package on disk: what a customer links or runs.
#pragma once

#include "codegen/package/Description.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/TargetParser/Triple.h"

namespace formwork::package {

enum class Kind { Program, StaticLibrary, SharedLibrary, Object };

/// Writes `path` and, for all but a program, NAME.h beside it: both or none. `object` holds the
/// model's functions; `libraryFolder` the runtime that a program is linked with.
llvm::Error writePackage(Kind kind, llvm::StringRef path, const Description &description,
                         llvm::StringRef object, const llvm::Triple &triple,
                         llvm::StringRef libraryFolder);

} // namespace formwork::package
