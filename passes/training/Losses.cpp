// Crossentropies and squared error, as keras/src/losses/losses.py and its TensorFlow back end
// (backend/tensorflow/nn.py) compute them.
//
// Refuses ignore_class, axes other than the last, and the reduction "none", which leaves no number
// to minimize.
#include "passes/training/Losses.h"
#include "passes/training/Registry.h"

#include "ir/Dialect.h"

using namespace mlir;

namespace formwork {

/// keras.config.epsilon(), by which probabilities are kept from 0 and 1.
static constexpr double epsilon = 1e-7;

static Expr clipped(Expr p) { return max(min(p, 1 - epsilon), epsilon); }

static int64_t rankOf(Expr x) { return cast<RankedTensorType>(x.value().getType()).getRank(); }
static int64_t lastAxis(Expr x) { return rankOf(x) - 1; }

/// A loss that the dialect keeps whole: over the last axis, or element by element.
template <typename Op> static Expr crossEntropy(Expr logits, Expr labels) {
  return {logits.build(), Op::create(logits.build(), logits.value(), labels.value())};
}

//===--- formulas --------------------------------------------------------------------------------

static LossFormula sparseCategoricalCrossentropy(Arguments &arguments) {
  bool fromLogits = arguments.flag("from_logits", false);
  if (arguments.raw("ignore_class"))
    arguments.reject("ignore_class") << "which is not supported; set it to None";
  return [=](Expr labels, const Prediction &prediction) {
    // From probabilities, Keras too takes their logarithms for logits.
    Expr logits = prediction.logits ? *prediction.logits
                  : fromLogits      ? prediction.output
                                    : log(clipped(prediction.output));
    return crossEntropy<SparseSoftmaxCrossEntropyOp>(logits, labels);
  };
}

static LossFormula categoricalCrossentropy(Arguments &arguments) {
  bool fromLogits = arguments.flag("from_logits", false);
  double smoothing = arguments.real("label_smoothing", 0);
  return [=](Expr y, const Prediction &prediction) {
    int64_t classes = lastAxis(prediction.output);
    if (smoothing != 0)
      y = y * (1 - smoothing) + smoothing / countAlong(y, classes);
    if (prediction.logits || fromLogits)
      return crossEntropy<SoftmaxCrossEntropyOp>(prediction.logits.value_or(prediction.output), y);
    Expr p = prediction.output / sum(prediction.output, classes, /*keepdims=*/true);
    return -sum(y * log(clipped(p)), classes);
  };
}

static LossFormula binaryCrossentropy(Arguments &arguments) {
  bool fromLogits = arguments.flag("from_logits", false);
  double smoothing = arguments.real("label_smoothing", 0);
  return [=](Expr y, const Prediction &prediction) {
    if (smoothing != 0)
      y = y * (1 - smoothing) + 0.5 * smoothing;
    if (prediction.logits || fromLogits)
      return mean(
          crossEntropy<SigmoidCrossEntropyOp>(prediction.logits.value_or(prediction.output), y),
          lastAxis(y));
    Expr p = clipped(prediction.output);
    return mean(-(y * log(p) + (1 - y) * log(1 - p)), lastAxis(y));
  };
}

static LossFormula meanSquaredError(Arguments &) {
  return [](Expr y, const Prediction &prediction) {
    return mean(square(y - prediction.output), lastAxis(y));
  };
}

//===--- the table -------------------------------------------------------------------------------

namespace {
struct LossRow {
  SmallVector<StringRef> names;
  TargetKind target;
  LossFormula (*read)(Arguments &);
  bool hasAxis = true;
};
} // namespace

static ArrayRef<LossRow> losses() {
  static const LossRow table[] = {
      {{"SparseCategoricalCrossentropy", "sparse_categorical_crossentropy"},
       TargetKind::classIndices,
       sparseCategoricalCrossentropy},
      {{"CategoricalCrossentropy", "categorical_crossentropy"},
       TargetKind::likeOutput,
       categoricalCrossentropy},
      {{"BinaryCrossentropy", "binary_crossentropy", "bce", "BCE"},
       TargetKind::likeOutput,
       binaryCrossentropy},
      {{"MeanSquaredError", "mean_squared_error", "mse", "MSE"},
       TargetKind::likeOutput,
       meanSquaredError,
       /*hasAxis=*/false},
  };
  return table;
}

std::vector<StringRef> lossNames() { return classNames(losses()); }

/// Reads a loss's own arguments; axis is among them where the formula has one.
static LossFormula readFormula(const LossRow &row, Arguments &arguments) {
  if (row.hasAxis && arguments.integer("axis", -1) != -1)
    arguments.reject("axis") << "and only the last axis, -1, is supported; permute the output";
  return row.read(arguments);
}

LossFormula readLossFormula(StringRef name, Arguments &arguments) {
  const LossRow *row = findByName(losses(), name);
  return row ? readFormula(*row, arguments) : LossFormula();
}

//===--- reading ---------------------------------------------------------------------------------

/// Keras decides what "crossentropy" means by the targets it is given; here they are not known.
static StringRef resolveShortcut(StringRef name, StringRef output, RankedTensorType type,
                                 Problems &problems) {
  if (name.lower() != "crossentropy" && name.lower() != "ce")
    return name;
  if (type.getShape().back() != 1)
    problems.report() << "loss '" << name << "' of output '" << output
                      << "' means one thing for class indices and another for one-hot targets; say "
                         "sparse_categorical_crossentropy or categorical_crossentropy";
  return "binary_crossentropy";
}

static bool readSumsSamples(Arguments &arguments) {
  StringRef reduction = arguments.text("reduction", "sum_over_batch_size", /*none=*/"none");
  if (reduction == "none")
    arguments.reject("reduction") << "which leaves no number to minimize; say sum_over_batch_size";
  else if (!llvm::is_contained({"sum_over_batch_size", "mean", "mean_with_sample_weight", "sum"},
                               reduction))
    arguments.reject("reduction") << "which Keras does not know; say sum_over_batch_size or sum";
  return reduction == "sum";
}

std::optional<Loss> readLoss(Attribute keras, StringRef output, RankedTensorType type,
                             Problems &problems) {
  std::string what = ("the loss of output '" + output + "'").str();
  std::optional<KerasObject> object = readObject(keras, what, problems);
  if (!object)
    return {};
  if (type.getRank() < 1 || !isa<FloatType>(type.getElementType())) {
    problems.report() << "output '" << output << "' is " << type
                      << ", and a loss needs floating point values along a last axis";
    return {};
  }
  StringRef name = resolveShortcut(object->name, output, type, problems);
  const LossRow *row = findByName(losses(), name);
  if (!row) {
    reportUnknown(problems, "loss", name, losses());
    return {};
  }
  Arguments arguments(("loss '" + name + "'").str(), object->config, problems);
  arguments.ignore({"name", "dtype"});
  Loss loss{row->target, readFormula(*row, arguments), readSumsSamples(arguments)};
  arguments.finish();
  return loss;
}

Expr reduceLoss(const Loss &loss, Expr samples) {
  auto axes = llvm::to_vector(llvm::seq<int64_t>(0, rankOf(samples)));
  return loss.sumsSamples ? sum(samples, axes) : mean(samples, axes);
}

} // namespace formwork
