// Which ops run together as one kernel.
#pragma once

#include "passes/Outline.h"

namespace formwork {

/// The groups of a block, in an order in which they can run. Every op that computes elements is in
/// one group, with the tensor.empty and linalg.fill it starts from. Without `fuse`, each such op is
/// a group of its own; without `pool`, a contraction's results are pooled by a group of their own.
llvm::SmallVector<KernelGroup> groupOps(mlir::Block &block, bool fuse, bool pool);

} // namespace formwork
