// Types that follow their operands: what specialization does to a function, and its reverse.
#pragma once

#include "ir/Dialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace formwork {

/// Infers the results of `op` from its operands as they are now, through its bodies if it has any.
/// Fails with the op's diagnostic, or that of the op in a body whose rule is broken.
llvm::LogicalResult inferTypesAnew(mlir::Operation *op);

/// Infers the results of every op of `block` from the block's arguments as they are now, in order,
/// through the bodies of control flow. Fails with the diagnostic of the op whose rule is broken.
llvm::LogicalResult inferTypesAnew(mlir::Block &block);

/// Gives the first arguments of `function` these types and infers everything else from them.
llvm::LogicalResult retypeFunction(mlir::func::FuncOp function, mlir::TypeRange arguments);

} // namespace formwork
