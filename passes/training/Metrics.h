// The metrics of Keras: what they remember of the batches, and what they make of that.
#pragma once

#include "passes/training/Losses.h"

namespace formwork {

/// Sums over all batches, of one shape.
struct Accumulator {
  llvm::StringRef name;
  llvm::SmallVector<int64_t> shape;
};

/// What is shown, from the sums: a scalar, or several numbers in one dimension.
using MetricResult = std::function<Expr(llvm::ArrayRef<Expr> sums)>;

/// Of a running mean: total / count, and 0 before the first batch.
Expr meanResult(llvm::ArrayRef<Expr> sums);

struct Metric {
  /// As Keras shows it, without the output's name.
  std::string name;
  /// The type of its result, and of its sums unless they are counts: what the model was compiled
  /// with, else `floatx`.
  mlir::FloatType type;
  /// Of what is accumulated: `type`, or i64 for exact counts.
  mlir::Type sumType;
  llvm::SmallVector<Accumulator> accumulators;
  /// What a batch adds to each accumulator.
  std::function<llvm::SmallVector<Expr>(Expr target, const Prediction &, SampleWeights)> ofBatch;
  MetricResult result;
};

/// An output and its target, as metrics are read for them.
struct MetricSubject {
  llvm::StringRef output;
  mlir::RankedTensorType outputType, targetType;
  mlir::FloatType floatx;
};

/// What an element of `metrics=` names, checked to make sense for this output and target.
std::optional<Metric> readMetric(mlir::Attribute keras, const MetricSubject &subject,
                                 Problems &problems);

} // namespace formwork
