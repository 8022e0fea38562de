// The variables that training adds to a model: the optimizer's memory and the metrics'
// accumulators.
#pragma once

#include "ir/Dialect.h"
#include "passes/training/CompileConfig.h"
#include "passes/training/Penalties.h"

#include "mlir/IR/BuiltinOps.h"

namespace formwork {

/// What is remembered of all batches for something that is shown.
struct Tracker {
  std::string name;
  /// Of a running mean: total and count.
  llvm::SmallVector<VariableOp> sums;
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
  /// One for each of them; null if it has none.
  llvm::SmallVector<Regularizer> regularizers;
  llvm::SmallVector<Constraint> constraints;
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
/// the optimizer, their place in a Keras archive. Reads what the weights carry; what is wrong with
/// it is reported.
TrainingState declareTrainingState(mlir::ModuleOp module, const CompileConfig &config,
                                   mlir::FloatType floatx, Problems &problems);

} // namespace formwork
