// The functions of a row, as IR: forward, gradient, gradient of the gradient; and their general
// versions.
#pragma once

#include "tests/numeric/Table.h"

#include "mlir/IR/BuiltinOps.h"

namespace formwork::test {

/// The operands a gradient is taken with respect to: those of type f64.
std::vector<size_t> differentiatedOperands(const Instance &instance);

/// As text, for operands x and cotangent seed of %y:
///   @forward_N(x)                   %y
///   @slope_N(x, seed)               the gradients g of sum(%y * seed)
///   @curvature_N(x, seed, weights)  the gradients of sum(g * weights) by x and seed
/// The last only if `secondOrder`.
std::string functionsOf(const Row &row, const Instance &instance, const std::string &suffix,
                        bool secondOrder);

/// Adds @general_F for each forward and slope function F: the same with the `?` that the row
/// allows.
llvm::LogicalResult addGeneralFunctions(mlir::ModuleOp module, const Row &row);

} // namespace formwork::test
