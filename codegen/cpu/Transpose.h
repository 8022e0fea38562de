// Square blocks turned in registers.
#pragma once

#include "codegen/kernel/Writer.h"

namespace formwork {

/// Turns as many vectors as each has lanes, a power of two: element j of result i is element i of
/// rows[j].
llvm::SmallVector<mlir::Value> transposeInRegisters(Writer &writer,
                                                    llvm::ArrayRef<mlir::Value> rows);

} // namespace formwork
