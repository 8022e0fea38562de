// The masks of a model's outputs: results of predict and forward whose role is "mask".
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace formwork {

/// Whether result `index` of `function` is the mask of the output of the same fw.name.
bool isMask(mlir::func::FuncOp function, unsigned index);

/// Takes the masks away: they are of no use to whoever calls the function.
void dropMasks(mlir::func::FuncOp function);

} // namespace formwork
