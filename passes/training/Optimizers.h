// The optimizers of Keras: what they remember of a weight, and how a step moves it.
#pragma once

#include "passes/training/Schedules.h"

namespace formwork {

struct Optimizer {
  /// What Keras calls it; the optimizer's variables are named after it: "adam".
  std::string name;
  double learningRate = 0;
  /// Null if the rate is a variable.
  Schedule schedule;
  /// Slots of each weight, in Keras's order of creation: a group is created weight by weight, all
  /// of a weight's slots of the group together; then the next group.
  llvm::SmallVector<llvm::SmallVector<llvm::StringRef>> slotGroups;
  /// The scalar that all weights share in a step, in f64, from the learning rate (f64) and the
  /// step's number, counted from 1.
  std::function<Expr(Expr learningRate, Expr step)> stepSize;
  /// The weight's next value. Slots, in the order of groups, are replaced by their next values.
  /// `stepSize` is of the weight's type.
  std::function<Expr(Expr weight, Expr gradient, Expr stepSize, llvm::MutableArrayRef<Expr> slots)>
      update;
};

/// Nothing, with problems reported, if the object is no optimizer that is known.
std::optional<Optimizer> readOptimizer(mlir::Attribute keras, Problems &problems);

} // namespace formwork
