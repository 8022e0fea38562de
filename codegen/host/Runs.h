// Launches in a row that may run at the same time.
#pragma once

#include "ir/Dialect.h"

namespace formwork {

using Run = llvm::SmallVector<LaunchOp>;

/// All launches of a block, those together that each write only buffers of the caller and nothing
/// that another of them touches: a few at most. Between them stands nothing but views and
/// arithmetic.
std::vector<Run> findRuns(mlir::Block &block);

} // namespace formwork
