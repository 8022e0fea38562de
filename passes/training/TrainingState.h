// The variables that training adds to a model: the optimizer's memory and the metrics'
// accumulators.
#pragma once

#include "ir/Dialect.h"
#include "passes/training/CompileConfig.h"

#include "mlir/IR/BuiltinOps.h"

namespace formwork {

/// A running mean: total / count.
struct Tracker {
  std::string name;
  VariableOp total, count;
};

struct OptimizerState {
  VariableOp iterations;
  /// Null if the rate follows a schedule.
  VariableOp learningRate;
  /// One for each trainable weight: moving averages and sums of gradients; empty without them.
  llvm::SmallVector<VariableOp> averages, accumulators;
  /// Slots of each trainable weight, in the order of the optimizer's groups.
  llvm::SmallVector<llvm::SmallVector<VariableOp>> slots;
  /// What the optimizer remembers once for all weights.
  llvm::SmallVector<VariableOp> shared;
};

struct TrainingState {
  /// What the optimizer moves, in module order, which is Keras's.
  llvm::SmallVector<VariableOp> trainable;
  OptimizerState optimizer;
  /// The total loss, weighted by batch sizes.
  Tracker loss;
  /// One for each metric of the configuration.
  llvm::SmallVector<Tracker> metrics;
  /// One for each output with a loss, if there are several; else none.
  llvm::SmallVector<Tracker> outputLosses;

  /// In the order in which Keras shows them.
  llvm::SmallVector<Tracker> trackers() const;
};

/// Declares the variables at the end of the module's, with initializers, roles and, for those of
/// the optimizer, their place in a Keras archive.
TrainingState declareTrainingState(mlir::ModuleOp module, const CompileConfig &config,
                                   mlir::FloatType floatx);

} // namespace formwork
