// Copies between buffers on the host.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace formwork {

/// How many of the last dimensions lie without gaps in a buffer of `type`.
int64_t denseDimensions(mlir::MemRefType type);

/// How single elements between gaps are copied.
enum class CopiedElements { AsLoadAndStore, AsCopies };

/// Every memref.copy of `function` becomes loops over what has gaps around copies of what is dense,
/// which are memcpy.
void lowerCopies(mlir::func::FuncOp function,
                 CopiedElements elements = CopiedElements::AsLoadAndStore);

} // namespace formwork
