// Whether a model's machine code computes what the model says: layer by layer, forward and
// gradient.
//
// Three things are compared. Forward, the product's code with that of an unoptimized pipeline,
// which shares the definitions of ops but neither fusion nor schedules nor polynomial math; the
// gradients with what the same kernels give as scalar loops; both in the model's precision, on the
// same random data. And the gradients, in float64, with finite differences of the loss, which share
// no gradient rule with them.
#pragma once

#include "tools/Compile.h"

#include "llvm/Support/Error.h"

namespace formwork {

struct VerifyOptions {
  CompileOptions compile; ///< Model, name and settings.
  int64_t batch = 8;      ///< Samples, if no signature says so.
  int64_t seed = 0;       ///< Of data and fresh weights.
};

/// Relative deviations, as norms; nothing where there was nothing to compare.
struct LayerReport {
  std::string name, className;
  std::optional<double> forward, gradient, differences;
};

struct VerifyReport {
  std::vector<LayerReport> layers;
  double precisionLimit = 0;   ///< Of forward and gradient.
  double differencesLimit = 0; ///< Of finite differences.
  bool passed() const;
};

/// Diagnostics of `context` say why if it fails.
mlir::FailureOr<VerifyReport> verifyModel(mlir::MLIRContext &context, const VerifyOptions &options);

} // namespace formwork
