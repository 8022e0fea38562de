// Regularizers and constraints of Keras, which a weight carries as attributes: what it adds to the
// loss, and what it is brought back to after each step. Outputs of layers have regularizers too.
#pragma once

#include "ir/Expr.h"
#include "passes/training/KerasObject.h"

#include <functional>

namespace formwork {

/// From a weight or an output to a scalar of its type.
using Regularizer = std::function<Expr(Expr x)>;
/// From a weight to what is allowed.
using Constraint = std::function<Expr(Expr weight)>;

/// What `{class_name, config}` names; null for None, or with problems reported. `owner` is what has
/// it, for diagnostics.
Regularizer readRegularizer(mlir::Attribute keras, llvm::StringRef owner, int64_t rank,
                            Problems &problems);
Constraint readConstraint(mlir::Attribute keras, llvm::StringRef owner, int64_t rank,
                          Problems &problems);

} // namespace formwork
