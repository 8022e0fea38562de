// The optimizers of Keras: what they remember of a weight, and how a step moves it.
#pragma once

#include "passes/training/Schedules.h"

namespace formwork {

/// A number that an optimizer remembers, of each element of a weight or once for all.
struct Slot {
  llvm::StringRef name;
  double initial = 0;
};

/// Scalars that all weights share in a step.
using StepScalars = llvm::SmallVector<Expr>;

/// What Keras puts around any optimizer's rule (keras/src/optimizers/base_optimizer.py).
struct OptimizerSettings {
  /// 0: gradients are not clipped so. Of the three at most one is set.
  double clipNorm = 0, globalClipNorm = 0, clipValue = 0;
  /// Of the learning rate: by how much of itself a weight shrinks before it is moved.
  std::optional<double> weightDecay;
  /// Whether moving averages of the weights are kept; their momentum; after how many steps they
  /// replace the weights, 0: at the end of training only.
  bool averages = false;
  double averageMomentum = 0;
  int64_t overwriteFrequency = 0;
  /// The loss is multiplied by this, and the gradients divided by it.
  double lossScale = 1;
  /// How many steps' gradients make a step of the rule.
  int64_t accumulationSteps = 1;
};

struct Optimizer {
  /// What Keras calls it; the optimizer's variables are named after it: "adam".
  std::string name;
  double learningRate = 0;
  /// Null if the rate is a variable.
  Schedule schedule;
  OptimizerSettings settings;
  /// Slots of each weight, in Keras's order of creation: a group is created weight by weight, all
  /// of a weight's slots of the group together; then the next group.
  llvm::SmallVector<llvm::SmallVector<Slot>> slotGroups;
  /// What is remembered once for all weights, created after the slots.
  llvm::SmallVector<Slot> shared;
  /// The scalars of a step, in f64, from the learning rate (f64) and the step's number, counted
  /// from 1. What is shared (f64) is replaced by its next values.
  std::function<StepScalars(Expr learningRate, Expr step, llvm::MutableArrayRef<Expr> shared)>
      scalars;
  /// The weight's next value. Slots, in the order of groups, are replaced by their next values.
  /// The scalars are of the weight's type.
  std::function<Expr(Expr weight, Expr gradient, llvm::ArrayRef<Expr> scalars,
                     llvm::MutableArrayRef<Expr> slots)>
      update;
};

/// Nothing, with problems reported, if the object is no optimizer that is known.
std::optional<Optimizer> readOptimizer(mlir::Attribute keras, Problems &problems);

} // namespace formwork
