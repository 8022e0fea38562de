// The losses of Keras: from a target and an output, one loss per sample; then one number.
#pragma once

#include "ir/Expr.h"
#include "passes/training/KerasObject.h"

#include "mlir/IR/BuiltinTypes.h"

#include <functional>

namespace formwork {

/// An output of the model, as losses and metrics see it.
struct Prediction {
  Expr output;
  /// What softmax or sigmoid made the output from; none if the output is not one's result.
  /// Crossentropies use it even if they were told to expect probabilities, as Keras does.
  std::optional<Expr> logits;
  /// Where the output means something: of its dimensions but the last, of i1. None: everywhere.
  std::optional<Expr> mask;
};

/// What the caller gives as the target of an output.
enum class TargetKind {
  /// The right class of each sample: the output's shape without its last dimension, as i64.
  classIndices,
  /// The output's shape and type.
  likeOutput
};

/// The losses of the samples: of the target's shape, or of the output's without its last dimension;
/// or one number for all, of rank 0.
using LossFormula = std::function<Expr(Expr target, const Prediction &)>;

/// How much each sample counts: of the losses' shape, which is the output's without its last
/// dimension, or one number for each sample; none: all count 1.
using SampleWeights = std::optional<Expr>;

/// From the samples' losses, times their weights, to one number.
enum class Reduction {
  /// Over their count, whatever the weights: Keras's default.
  mean,
  /// Over the sum of the weights.
  meanByWeight,
  sum
};

struct Loss {
  TargetKind target;
  LossFormula samples;
  /// Samples of this class do not count.
  std::optional<int64_t> ignoredClass;
  Reduction reduction = Reduction::mean;
  /// Whether there is one loss for each weight of a sample, or one for all.
  bool canBeWeighted = true;
};

/// What `loss=` names. `output` is the output's name, for diagnostics, and `type` its type.
std::optional<Loss> readLoss(mlir::Attribute keras, llvm::StringRef output,
                             mlir::RankedTensorType type, Problems &problems);

/// The formula of a loss by one of its names, for metrics that are losses; null if there is none.
/// Reads those of its arguments that are the formula's.
LossFormula readLossFormula(llvm::StringRef name, Arguments &arguments);

/// One number for all samples that the output's mask leaves (reduce_weighted_values in
/// keras/src/losses/loss.py).
Expr buildLoss(const Loss &loss, Expr target, const Prediction &prediction, SampleWeights weights);

} // namespace formwork
