// The table of metrics, and how one is read: its name, its type, and whether it can compare the
// output with the target. What they compute is in MeanMetrics, ConfusionMetrics and ScoreMetrics.
//
// Refuses a metric whose target has another shape than it needs.
#include "passes/training/MetricKinds.h"
#include "passes/training/Registry.h"

#include "ir/Dialect.h"

using namespace mlir;

namespace formwork {

static RankedTensorType typeOf(Expr x) { return cast<RankedTensorType>(x.value().getType()); }

/// A loss under its own name.
template <const char *loss>
static void lossAsMetric(Metric &metric, Arguments &arguments, const MetricSubject &) {
  LossFormula samples = readLossFormula(loss, arguments);
  becomeMean(metric, [=, type = metric.type](Expr y, const Prediction &p) {
    return castTo(samples(y, p), type);
  });
}

//===--- the table -------------------------------------------------------------------------------

namespace {
/// What a metric compares the output with.
enum class Compares {
  /// A number for each number of the output.
  values,
  /// A distribution for each of the output's.
  distributions,
  /// The index of a class for each distribution of the output.
  classIndices,
  /// The metric says so itself.
  either
};

struct MetricRow {
  SmallVector<StringRef> names;
  Compares compares;
  MetricReader read;
};
} // namespace

static constexpr char squaredError[] = "MeanSquaredError", absoluteError[] = "MeanAbsoluteError",
                      percentageError[] = "MeanAbsolutePercentageError",
                      logarithmicError[] = "MeanSquaredLogarithmicError",
                      binary[] = "BinaryCrossentropy", categorical[] = "CategoricalCrossentropy",
                      sparse[] = "SparseCategoricalCrossentropy", hinge[] = "Hinge",
                      squaredHinge[] = "SquaredHinge", categoricalHinge[] = "CategoricalHinge",
                      divergence[] = "KLDivergence", poisson[] = "Poisson", logCosh[] = "LogCosh";

static ArrayRef<MetricRow> metrics() {
  using enum Compares;
  static const MetricRow table[] = {
      {{"Accuracy"}, values, readAccuracy},
      {{"BinaryAccuracy", "binary_accuracy"}, values, readBinaryAccuracy},
      {{"CategoricalAccuracy", "categorical_accuracy"}, distributions, readCategoricalAccuracy},
      {{"SparseCategoricalAccuracy", "sparse_categorical_accuracy"},
       classIndices,
       readSparseCategoricalAccuracy},
      {{"TopKCategoricalAccuracy", "top_k_categorical_accuracy"}, distributions, readTopK},
      {{"SparseTopKCategoricalAccuracy", "sparse_top_k_categorical_accuracy"},
       classIndices,
       readSparseTopK},
      {{absoluteError, "mean_absolute_error", "mae", "MAE"}, values, lossAsMetric<absoluteError>},
      {{squaredError, "mean_squared_error", "mse", "MSE"}, values, lossAsMetric<squaredError>},
      {{"RootMeanSquaredError", "root_mean_squared_error", "rmse", "RMSE"},
       values,
       readRootMeanSquaredError},
      {{percentageError, "mean_absolute_percentage_error", "mape", "MAPE"},
       values,
       lossAsMetric<percentageError>},
      {{logarithmicError, "mean_squared_logarithmic_error", "msle", "MSLE"},
       values,
       lossAsMetric<logarithmicError>},
      {{"CosineSimilarity", "cosine_similarity"}, values, readCosineSimilarity},
      {{"LogCoshError", "log_cosh", "logcosh"}, values, lossAsMetric<logCosh>},
      {{"R2Score", "r2_score"}, values, readR2Score},
      {{binary, "binary_crossentropy", "bce", "BCE"}, values, lossAsMetric<binary>},
      {{categorical, "categorical_crossentropy"}, distributions, lossAsMetric<categorical>},
      {{sparse, "sparse_categorical_crossentropy"}, classIndices, lossAsMetric<sparse>},
      {{divergence, "kl_divergence", "kld", "KLD", "kullback_leibler_divergence"},
       distributions,
       lossAsMetric<divergence>},
      {{poisson, "poisson"}, values, lossAsMetric<poisson>},
      {{hinge, "hinge"}, values, lossAsMetric<hinge>},
      {{squaredHinge, "squared_hinge"}, values, lossAsMetric<squaredHinge>},
      {{categoricalHinge, "categorical_hinge"}, distributions, lossAsMetric<categoricalHinge>},
      {{"AUC"}, values, readAUC},
      {{"Precision"}, values, readPrecision},
      {{"Recall"}, values, readRecall},
      {{"TruePositives"}, values, readTruePositives},
      {{"TrueNegatives"}, values, readTrueNegatives},
      {{"FalsePositives"}, values, readFalsePositives},
      {{"FalseNegatives"}, values, readFalseNegatives},
      {{"SensitivityAtSpecificity"}, values, readSensitivityAtSpecificity},
      {{"SpecificityAtSensitivity"}, values, readSpecificityAtSensitivity},
      {{"PrecisionAtRecall"}, values, readPrecisionAtRecall},
      {{"RecallAtPrecision"}, values, readRecallAtPrecision},
      {{"F1Score"}, values, readF1Score},
      {{"FBetaScore"}, values, readFBetaScore},
      {{"IoU"}, either, readIoU},
      {{"MeanIoU"}, either, readMeanIoU},
      {{"BinaryIoU"}, values, readBinaryIoU},
      {{"OneHotIoU"}, distributions, readOneHotIoU},
      {{"OneHotMeanIoU"}, distributions, readOneHotMeanIoU},
  };
  return table;
}

std::vector<StringRef> metricNames() { return classNames(metrics()); }

//===--- reading ---------------------------------------------------------------------------------

/// "accuracy" is the accuracy that fits the shapes (is_binary_or_sparse_categorical in
/// keras/src/trainers/compile_utils.py).
static StringRef resolveShortcut(StringRef name, const MetricSubject &subject) {
  if (name.lower() != "accuracy" && name.lower() != "acc")
    return name;
  if (subject.outputType.getShape().back() == 1)
    return "BinaryAccuracy";
  return subject.targetType.getRank() < subject.outputType.getRank() ? "SparseCategoricalAccuracy"
                                                                     : "CategoricalAccuracy";
}

static bool fits(Compares compares, const MetricSubject &subject) {
  bool indices = subject.targetType.getRank() < subject.outputType.getRank();
  switch (compares) {
  case Compares::values:
    // One number for each sample needs no dimension of its own.
    return !indices || subject.outputType.getShape().back() == 1;
  case Compares::distributions:
    return !indices;
  case Compares::classIndices:
    return indices;
  case Compares::either:
    return true;
  }
  llvm_unreachable("all kinds are above");
}

/// The target as the metric needs it: of the output's rank and type, if it is compared with
/// numbers. A dimension of 1 is added where the target lacks it.
static void alignTarget(Metric &metric) {
  metric.ofBatch = [ofBatch = metric.ofBatch](Expr y, const Prediction &p, SampleWeights weights) {
    Expr same = y;
    if (int64_t rank = typeOf(y).getRank(); rank < typeOf(p.output).getRank())
      same = broadcastLike(y, p.output, rank);
    return ofBatch(castTo(same, typeOf(p.output).getElementType()), p, weights);
  };
}

/// The type that the metric was created with: that of its total and count.
static FloatType readType(Arguments &arguments, FloatType floatx) {
  StringRef type = arguments.text("dtype", "");
  if (type == "int" || type == "int32" || type == "int64") // of metrics that count
    return floatx;
  MLIRContext *context = floatx.getContext();
  if (type == "float32")
    return Float32Type::get(context);
  if (type == "float64")
    return Float64Type::get(context);
  if (!type.empty())
    arguments.reject("dtype") << "and only float32 and float64 are supported";
  return floatx;
}

/// Keras shows a metric under the words it was asked for with, if they were words.
static std::string readName(Attribute keras, const KerasObject &object, Arguments &arguments) {
  StringRef own = arguments.text("name", object.name);
  return (isa<StringAttr>(keras) ? object.name : own).str();
}

std::optional<Metric> readMetric(Attribute keras, const MetricSubject &subject,
                                 Problems &problems) {
  std::string what = ("a metric of output '" + subject.output + "'").str();
  std::optional<KerasObject> object = readObject(keras, what, problems);
  if (!object)
    return {};
  bool shortcut = isa<StringAttr>(keras);
  StringRef name = shortcut ? resolveShortcut(object->name, subject) : object->name;
  const MetricRow *row = findByName(metrics(), name);
  if (!row) {
    reportUnknown(problems, "metric", name, metrics());
    return {};
  }
  if (!fits(row->compares, subject)) {
    problems.report() << "metric '" << object->name << "' cannot compare output '" << subject.output
                      << "', " << subject.outputType << ", with its target, " << subject.targetType
                      << ", which the loss determines; choose a metric of the loss's kind";
    return {};
  }
  Arguments arguments(("metric '" + object->name + "'").str(), object->config, problems);
  Metric metric;
  metric.name = readName(keras, *object, arguments);
  metric.type = readType(arguments, subject.floatx);
  metric.sumType = metric.type;
  row->read(metric, arguments, subject);
  if (row->compares == Compares::values)
    alignTarget(metric);
  arguments.finish();
  return metric;
}

} // namespace formwork
