// Constants as text that a compiler reads back to the same bits.
#pragma once

#include "codegen/source/Expression.h"

#include "mlir/IR/BuiltinAttributes.h"

namespace formwork::source {

/// Of f32: "0.1f"; of f64: "0.1"; infinities and what is no number by the macros of <math.h>.
Expression floatLiteral(const llvm::APFloat &value);

/// Of an integer as wide as `value`: unsigned "7u" unless `isSigned`; of one bit: "true".
Expression integerLiteral(const llvm::APInt &value, bool isSigned);

} // namespace formwork::source
