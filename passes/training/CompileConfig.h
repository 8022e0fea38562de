// What `model.compile` was given, resolved against the model's outputs.
#pragma once

#include "passes/training/Metrics.h"
#include "passes/training/Optimizers.h"

namespace formwork {

/// An output of the model, and what training asks of it.
struct TrainedOutput {
  std::string name;
  mlir::RankedTensorType type;
  /// The symbol of each dimension, -1 if it is static.
  llvm::SmallVector<int64_t> symbols;
  /// Which result of predict and forward is its mask; nothing if it has none.
  std::optional<unsigned> mask;

  std::optional<Loss> loss;
  /// By which the loss counts in the total.
  double lossWeight = 1;
  /// Null if neither a loss nor a metric looks at this output.
  mlir::RankedTensorType targetType;
  /// Of the weights of its samples, one for each number of the loss; null if there are none.
  mlir::RankedTensorType weightType;
};

struct TrackedMetric {
  Metric metric;
  /// Index of the output it looks at.
  size_t output;
  /// As `fit` shows it, unique: "accuracy", or "digit_accuracy" where there are several outputs.
  std::string name;
  /// Of weighted_metrics, which samples' weights count for.
  bool weighted;
};

struct CompileConfig {
  Optimizer optimizer;
  llvm::SmallVector<TrainedOutput> outputs;
  /// In the order in which Keras shows them.
  std::vector<TrackedMetric> metrics;
};

/// Reads get_compile_config(), mirrored as attributes, for outputs of which name, type and symbols
/// are given. `sampleWeights`: losses and weighted metrics take weights of samples. Everything that
/// is wrong is reported; the result is of use only if nothing was.
CompileConfig readCompileConfig(mlir::DictionaryAttr keras,
                                llvm::SmallVector<TrainedOutput> outputs, mlir::FloatType floatx,
                                bool sampleWeights, Problems &problems);

} // namespace formwork
