// The initializers of Keras: how a variable's first value is made.
#pragma once

#include "ir/Dialect.h"
#include "passes/training/KerasObject.h"

#include <functional>

namespace formwork {

/// Where an initializer's random numbers come from.
struct RandomSource {
  /// tensor<2xi64>: seed and counter.
  mlir::Value state;
  /// Distinct for each variable.
  int64_t stream;
};

/// Builds the first value of a variable.
using Initializer = std::function<mlir::Value(mlir::ImplicitLocOpBuilder &, const RandomSource &)>;

/// The initializer that `variable` declares; null, with problems reported, if it can have none.
Initializer readInitializer(VariableOp variable, Problems &problems);

} // namespace formwork
