// What fw.scan and its gradient both know about steps and stacks of them.
#pragma once

#include "ir/Dialect.h"

namespace formwork {

/// The type of one step of a stack.
mlir::RankedTensorType stepTypeOf(mlir::Value stack);

/// The type of `steps` tensors like `step` along a new leading dimension.
mlir::RankedTensorType stackTypeOf(int64_t steps, mlir::Type step);

/// How many steps `scan` makes, or `?`.
int64_t countSteps(ScanOp scan);

/// What a scan's body is given: carries, elements, captures.
llvm::SmallVector<mlir::Type> scanBodyTypes(mlir::ValueRange initials, mlir::ValueRange sequences,
                                            mlir::ValueRange captures);

/// A new argument of the body through which it reads `outside`, step by step if it `varies`.
mlir::BlockArgument addScanArgument(ScanOp scan, mlir::Value outside, bool varies);

} // namespace formwork
