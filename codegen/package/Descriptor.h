// The `formwork_model` of runtime/formwork.h as constant data in an object file of its own.
#pragma once

#include "codegen/package/Description.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/TargetParser/Triple.h"

namespace formwork::package {

/// An object that defines NAME_model, NAME_constants and NAME_initial_state (those that are there)
/// and refers to the functions of the model's object. It holds no static constructor.
llvm::SmallVector<char, 0> emitDescriptor(const Description &description,
                                          const llvm::Triple &triple);

/// An object whose `main` hands NAME_model to the runtime's formwork_main.
llvm::SmallVector<char, 0> emitMain(llvm::StringRef name, const llvm::Triple &triple);

} // namespace formwork::package
