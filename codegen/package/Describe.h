// A compiled model's description, put together from what codegen says about it.
#pragma once

#include "codegen/EntryTable.h"
#include "codegen/StateLayout.h"
#include "codegen/package/Description.h"

namespace formwork::package {

/// All but configurations, weights and initial state, which the caller has. `name` is a C
/// identifier.
Description describe(llvm::ArrayRef<formwork::Entry> entries, llvm::StringRef target,
                     const StateLayout &layout, llvm::StringRef name);

/// An element type as the interface names it.
formwork_dtype dtypeOf(mlir::Type element);

} // namespace formwork::package
