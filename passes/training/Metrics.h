// The metrics of Keras that are means over samples: from a target and an output, their values.
#pragma once

#include "passes/training/Losses.h"

namespace formwork {

/// One or more values for each sample, in the metric's type; samples along dimension 0.
using MetricFormula = std::function<Expr(Expr target, const Prediction &)>;

struct Metric {
  /// As Keras shows it, without the output's name.
  std::string name;
  /// The type of its values, total and count: what the model was compiled with, else `floatx`.
  mlir::FloatType type;
  MetricFormula values;
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
