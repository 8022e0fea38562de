// How much arithmetic a function does.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <optional>

namespace formwork {

/// Floating point operations of one call of a function in linalg on tensors, a multiplication and
/// an addition being two; exp and the like count as one. Nothing if a size is unknown.
std::optional<int64_t> countFlops(mlir::func::FuncOp function);

} // namespace formwork
