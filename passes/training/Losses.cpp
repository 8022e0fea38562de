// The formulas of keras/src/losses/losses.py and its TensorFlow back end
// (backend/tensorflow/nn.py).
//
// Refuses axes other than the last where a loss compares distributions along one, and the reduction
// "none", which leaves no number to minimize.
#include "passes/training/Losses.h"
#include "passes/training/Registry.h"

#include "ir/Dialect.h"

#include <numbers>

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
  return [=](Expr labels, const Prediction &prediction) {
    // From probabilities, Keras too takes their logarithms for logits.
    Expr logits = prediction.logits ? *prediction.logits
                  : fromLogits      ? prediction.output
                                    : log(clipped(prediction.output));
    return crossEntropy<SparseSoftmaxCrossEntropyOp>(logits, labels);
  };
}

/// y, moved by `smoothing` of the way towards 1/2.
static Expr smoothedBinary(Expr y, double smoothing) {
  return smoothing == 0 ? y : y * (1 - smoothing) + 0.5 * smoothing;
}

/// The same towards equal shares of all classes.
static Expr smoothedCategorical(Expr y, double smoothing) {
  return smoothing == 0 ? y : y * (1 - smoothing) + smoothing / countAlong(y, lastAxis(y));
}

static LossFormula categoricalCrossentropy(Arguments &arguments) {
  bool fromLogits = arguments.flag("from_logits", false);
  double smoothing = arguments.real("label_smoothing", 0);
  return [=](Expr y, const Prediction &prediction) {
    int64_t classes = lastAxis(prediction.output);
    y = smoothedCategorical(y, smoothing);
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
    y = smoothedBinary(y, smoothing);
    if (prediction.logits || fromLogits)
      return mean(
          crossEntropy<SigmoidCrossEntropyOp>(prediction.logits.value_or(prediction.output), y),
          lastAxis(y));
    Expr p = clipped(prediction.output);
    return mean(-(y * log(p) + (1 - y) * log(1 - p)), lastAxis(y));
  };
}

/// Lin et al.: crossentropy in which what is already right counts little.
static LossFormula binaryFocalCrossentropy(Arguments &arguments) {
  bool balances = arguments.flag("apply_class_balancing", false);
  double alpha = arguments.real("alpha", 0.25), gamma = arguments.real("gamma", 2);
  bool fromLogits = arguments.flag("from_logits", false);
  double smoothing = arguments.real("label_smoothing", 0);
  return [=](Expr y, const Prediction &prediction) {
    y = smoothedBinary(y, smoothing);
    std::optional<Expr> logits = prediction.logits;
    if (fromLogits)
      logits = prediction.output;
    Expr p = fromLogits ? sigmoid(prediction.output) : prediction.output, q = clipped(p);
    Expr entropy = logits ? crossEntropy<SigmoidCrossEntropyOp>(*logits, y)
                          : -(y * log(q) + (1 - y) * log(1 - q));
    Expr focal = pow(1 - (y * p + (1 - y) * (1 - p)), gamma) * entropy;
    if (balances)
      focal = (y * alpha + (1 - y) * (1 - alpha)) * focal;
    return mean(focal, lastAxis(y));
  };
}

static LossFormula categoricalFocalCrossentropy(Arguments &arguments) {
  double alpha = arguments.real("alpha", 0.25), gamma = arguments.real("gamma", 2);
  bool fromLogits = arguments.flag("from_logits", false);
  double smoothing = arguments.real("label_smoothing", 0);
  return [=](Expr y, const Prediction &prediction) {
    int64_t classes = lastAxis(prediction.output);
    y = smoothedCategorical(y, smoothing);
    Expr p = fromLogits ? softmax(prediction.output) : prediction.output;
    Expr q = clipped(p / sum(p, classes, /*keepdims=*/true));
    return sum(pow(1 - q, gamma) * alpha * (-y * log(q)), classes);
  };
}

//===--- formulas of numbers ---------------------------------------------------------------------

/// The mean over the last axis of a function of each target and output.
template <Expr (*each)(Expr target, Expr output)> static LossFormula meanOf(Arguments &) {
  return [](Expr y, const Prediction &p) { return mean(each(y, p.output), lastAxis(y)); };
}

static Expr squaredError(Expr y, Expr p) { return square(y - p); }
static Expr absoluteError(Expr y, Expr p) { return abs(y - p); }

static Expr absolutePercentageError(Expr y, Expr p) {
  return 100 * abs((y - p) / max(abs(y), epsilon));
}

static Expr squaredLogarithmicError(Expr y, Expr p) {
  return square(log(max(p, epsilon) + 1) - log(max(y, epsilon) + 1));
}

static Expr softplus(Expr x) { return {x.build(), SoftplusOp::create(x.build(), x.value())}; }

/// log(cosh(p - y)), where Keras takes the logarithm of 2 in f32.
static Expr logCoshOfError(Expr y, Expr p) {
  Expr error = p - y;
  return error + softplus(error * -2) - float(std::numbers::ln2);
}

static Expr poissonDeviance(Expr y, Expr p) { return p - y * log(p + epsilon); }

/// -1 and 1, if all targets are 0 or 1.
static Expr hingeLabels(Expr y) {
  Expr isBinary = equal(y, 0) || equal(y, 1);
  auto axes = llvm::to_vector(llvm::seq<int64_t>(0, rankOf(y)));
  Expr all(y.build(), ReduceAllOp::create(y.build(), isBinary.value(), axes, /*keepdims=*/false));
  return select(all, 2 * y - 1, y);
}

static Expr hingeOf(Expr y, Expr p) { return max(1 - hingeLabels(y) * p, 0); }
static Expr squaredHingeOf(Expr y, Expr p) { return square(hingeOf(y, p)); }

/// Quadratic up to delta, then linear.
static LossFormula huber(Arguments &arguments) {
  double delta = arguments.real("delta", 1);
  return [=](Expr y, const Prediction &p) {
    Expr error = p.output - y, size = abs(error);
    Expr each = select(size <= delta, 0.5 * square(error), delta * size - 0.5 * delta * delta);
    return mean(each, lastAxis(y));
  };
}

static Expr unitLength(Expr x) { return ofUnitLength(x, lastAxis(x), epsilon); }

static LossFormula cosineSimilarity(Arguments &) {
  return [](Expr y, const Prediction &p) {
    return -sum(unitLength(y) * unitLength(p.output), lastAxis(y));
  };
}

static LossFormula klDivergence(Arguments &) {
  return [](Expr y, const Prediction &prediction) {
    auto clip = [](Expr x) { return max(min(x, 1), epsilon); };
    Expr target = clip(y), p = clip(prediction.output);
    return sum(target * log(target / p), lastAxis(y));
  };
}

static LossFormula categoricalHinge(Arguments &) {
  return [](Expr y, const Prediction &p) {
    Expr right = sum(y * p.output, lastAxis(y));
    return max(maxOver((1 - y) * p.output, lastAxis(y)) - right + 1, 0);
  };
}

//===--- overlaps --------------------------------------------------------------------------------

/// The axes that are summed, of a tensor of the rank: all of them by default.
static SmallVector<int64_t> axesOf(ArrayRef<int64_t> given, bool all, int64_t rank) {
  if (all)
    return llvm::to_vector(llvm::seq<int64_t>(0, rank));
  SmallVector<int64_t> axes;
  for (int64_t axis : given)
    axes.push_back(axis < 0 ? axis + rank : axis);
  return axes;
}

/// `axis`: None, a number or a list of them; a function of a tensor's rank.
static std::function<SmallVector<int64_t>(int64_t)> readAxes(Arguments &arguments) {
  Attribute axis = arguments.raw("axis");
  SmallVector<int64_t> given;
  if (auto number = dyn_cast_or_null<IntegerAttr>(axis))
    given = {number.getInt()};
  else if (axis)
    for (double number : arguments.reals("axis"))
      given.push_back(int64_t(number));
  return [=, all = !axis](int64_t rank) { return axesOf(given, all, rank); };
}

static LossFormula dice(Arguments &arguments) {
  auto axes = readAxes(arguments);
  return [=](Expr y, const Prediction &prediction) {
    Expr p = prediction.output;
    SmallVector<int64_t> over = axes(rankOf(y));
    return 1 - 2 * sum(y * p, over) / (sum(y, over) + sum(p, over) + epsilon);
  };
}

static LossFormula tversky(Arguments &arguments) {
  double alpha = arguments.real("alpha", 0.5), beta = arguments.real("beta", 0.5);
  auto axes = readAxes(arguments);
  return [=](Expr y, const Prediction &prediction) {
    Expr p = prediction.output;
    SmallVector<int64_t> over = axes(rankOf(y));
    Expr both = sum(y * p, over), onlyTarget = sum((1 - p) * y, over);
    Expr onlyOutput = sum(p * (1 - y), over);
    return 1 - both / (both + onlyTarget * alpha + onlyOutput * beta + epsilon);
  };
}

//===--- the table -------------------------------------------------------------------------------

namespace {
enum class Axis {
  /// The loss has no such argument.
  none,
  /// It has, and only the last axis is supported.
  last,
  /// The formula reads it.
  any
};

struct LossRow {
  SmallVector<StringRef> names;
  LossFormula (*read)(Arguments &);
  Axis axis = Axis::none;
  TargetKind target = TargetKind::likeOutput;
};
} // namespace

static ArrayRef<LossRow> losses() {
  static const LossRow table[] = {
      {{"SparseCategoricalCrossentropy", "sparse_categorical_crossentropy"},
       sparseCategoricalCrossentropy,
       Axis::last,
       TargetKind::classIndices},
      {{"CategoricalCrossentropy", "categorical_crossentropy"},
       categoricalCrossentropy,
       Axis::last},
      {{"BinaryCrossentropy", "binary_crossentropy", "bce", "BCE"}, binaryCrossentropy, Axis::last},
      {{"CategoricalFocalCrossentropy", "categorical_focal_crossentropy"},
       categoricalFocalCrossentropy,
       Axis::last},
      {{"BinaryFocalCrossentropy", "binary_focal_crossentropy"},
       binaryFocalCrossentropy,
       Axis::last},
      {{"MeanSquaredError", "mean_squared_error", "mse", "MSE"}, meanOf<squaredError>},
      {{"MeanAbsoluteError", "mean_absolute_error", "mae", "MAE"}, meanOf<absoluteError>},
      {{"MeanAbsolutePercentageError", "mean_absolute_percentage_error", "mape", "MAPE"},
       meanOf<absolutePercentageError>},
      {{"MeanSquaredLogarithmicError", "mean_squared_logarithmic_error", "msle", "MSLE"},
       meanOf<squaredLogarithmicError>},
      {{"Huber", "huber", "huber_loss"}, huber},
      {{"LogCosh", "log_cosh", "logcosh"}, meanOf<logCoshOfError>},
      {{"Poisson", "poisson"}, meanOf<poissonDeviance>},
      {{"Hinge", "hinge"}, meanOf<hingeOf>},
      {{"SquaredHinge", "squared_hinge"}, meanOf<squaredHingeOf>},
      {{"CategoricalHinge", "categorical_hinge"}, categoricalHinge},
      {{"CosineSimilarity", "cosine_similarity"}, cosineSimilarity, Axis::last},
      {{"KLDivergence", "kl_divergence", "kld", "KLD", "kullback_leibler_divergence"},
       klDivergence},
      {{"Dice", "dice"}, dice, Axis::any},
      {{"Tversky", "tversky"}, tversky, Axis::any},
  };
  return table;
}

std::vector<StringRef> lossNames() { return classNames(losses()); }

/// Reads a loss's own arguments; axis is among them where the formula has one.
static LossFormula readFormula(const LossRow &row, Arguments &arguments) {
  if (row.axis == Axis::last && arguments.integer("axis", -1) != -1)
    arguments.reject("axis") << "and only the last axis, -1, is supported; permute the output";
  return row.read(arguments);
}

LossFormula readLossFormula(StringRef name, Arguments &arguments) {
  const LossRow *row = findByName(losses(), name);
  if (row && row->target == TargetKind::classIndices && arguments.raw("ignore_class"))
    arguments.reject("ignore_class") << "which only losses may ignore; set it to None";
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

static Reduction readReduction(Arguments &arguments) {
  StringRef reduction = arguments.text("reduction", "sum_over_batch_size", /*none=*/"none");
  if (reduction == "none")
    arguments.reject("reduction") << "which leaves no number to minimize; say sum_over_batch_size";
  else if (!llvm::is_contained({"sum_over_batch_size", "mean", "mean_with_sample_weight", "sum"},
                               reduction))
    arguments.reject("reduction") << "which Keras does not know; say sum_over_batch_size or sum";
  return reduction == "sum"                       ? Reduction::sum
         : reduction == "mean_with_sample_weight" ? Reduction::meanByWeight
                                                  : Reduction::mean;
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
  Loss loss{row->target, readFormula(*row, arguments), {}, readReduction(arguments)};
  loss.canBeWeighted = row->axis != Axis::any || !arguments.raw("axis");
  if (row->target == TargetKind::classIndices && arguments.raw("ignore_class"))
    loss.ignoredClass = arguments.integer("ignore_class", 0);
  arguments.finish();
  return loss;
}

/// Which samples count; none: all do.
static std::optional<Expr> counted(const Loss &loss, Expr target, const Prediction &prediction) {
  if (!loss.ignoredClass)
    return prediction.mask;
  Expr valid = notEqual(target, double(*loss.ignoredClass));
  return prediction.mask ? *prediction.mask && valid : valid;
}

/// 1 for samples that count, else 0; in a mean, as much more than 1 as others count less.
static Expr weightOf(const Loss &loss, Expr counts, Type type) {
  Expr valid = castTo(counts, type);
  if (loss.reduction != Reduction::mean)
    return valid;
  auto axes = llvm::to_vector(llvm::seq<int64_t>(0, rankOf(valid)));
  Expr some = sum(valid, axes), all = countAlong(valid, axes);
  return valid * select(some > 0, all / some, 0);
}

static Expr reduce(Reduction reduction, Expr samples, SampleWeights weights) {
  auto axes = llvm::to_vector(llvm::seq<int64_t>(0, rankOf(samples)));
  if (reduction == Reduction::mean || (reduction == Reduction::meanByWeight && !weights))
    return mean(samples, axes);
  Expr total = sum(samples, axes);
  if (reduction == Reduction::sum)
    return total;
  Expr weight = sum(*weights, axes), isNothing = equal(weight, 0);
  return select(isNothing, 0, total / select(isNothing, 1, weight));
}

Expr buildLoss(const Loss &loss, Expr target, const Prediction &prediction, SampleWeights weights) {
  Expr labels = target;
  Prediction given = prediction;
  if (loss.ignoredClass) {
    labels = select(equal(target, double(*loss.ignoredClass)), 0, target);
    // Keras selects the samples that count first, and clips probabilities: no softmax is seen.
    given.logits.reset();
  }
  Expr samples = loss.samples(labels, given);
  Type type = getElementTypeOrSelf(samples.value().getType());
  if (weights)
    weights = castTo(*weights, type);
  if (std::optional<Expr> counts = counted(loss, target, prediction)) {
    Expr weight = weightOf(loss, *counts, type);
    weights = weights ? *weights * weight : weight;
  }
  if (rankOf(samples) == 0 && !weights)
    return samples;
  return reduce(loss.reduction, weights ? samples * *weights : samples, weights);
}

} // namespace formwork
