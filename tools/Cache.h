// Programs compiled before, found again by what they were compiled from.
//
// The key is a hash of everything a program depends on: the model's bytes, every option, this
// compiler, its runtime and this machine's CPU. So nothing in the cache is ever out of date, and
// removing any of it is safe.
#pragma once

#include "tools/Compile.h"

#include "llvm/Support/Error.h"

namespace formwork {

/// Where the program of these options is or belongs: in $FORMWORK_CACHE, else
/// $XDG_CACHE_HOME/formwork, else ~/.cache/formwork. The folder is made. An error if model or
/// folder cannot be had.
llvm::Expected<std::string> cachedProgramPath(const CompileOptions &options,
                                              llvm::StringRef libraryFolder);

} // namespace formwork
