// Copies between buffers on the host.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace formwork {

/// How many of the last dimensions lie without gaps in a buffer of `type`.
int64_t denseDimensions(mlir::MemRefType type);

/// What copies may be left.
enum class CopiedGaps {
  None,          ///< Dense ones, which are memcpy; single elements are loaded and stored.
  InOneDimension ///< Also those of rows of one size at one distance.
};

/// Every memref.copy of `function` becomes loops over what has gaps around copies of what has none,
/// or few.
void lowerCopies(mlir::func::FuncOp function, CopiedGaps left = CopiedGaps::None);

/// The number of leading dimensions that have gaps between their parts, on either side.
int64_t dimensionsWithGaps(mlir::memref::CopyOp copy);

} // namespace formwork
