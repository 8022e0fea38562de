// Accuracies, absolute and squared error, and crossentropies as metrics, as keras/src/metrics
// computes them.
//
// Refuses metrics that are no means over samples (AUC, precision, ...), and one whose target has
// another shape than it needs.
#include "passes/training/Metrics.h"
#include "passes/training/Registry.h"

#include "ir/Dialect.h"

using namespace mlir;

namespace formwork {

static RankedTensorType typeOf(Expr x) { return cast<RankedTensorType>(x.value().getType()); }
static int64_t lastAxis(Expr x) { return typeOf(x).getRank() - 1; }

/// 1 where the two are equal, else 0.
static Expr matches(Expr a, Expr b, FloatType type) { return castTo(equal(a, b), type); }

/// The index of the largest element along the last axis.
static Expr argmax(Expr x) {
  return {x.build(), ArgmaxOp::create(x.build(), x.value(), lastAxis(x))};
}

//===--- formulas --------------------------------------------------------------------------------

static MetricFormula accuracy(Arguments &, FloatType type) {
  return [=](Expr y, const Prediction &p) { return matches(y, p.output, type); };
}

static MetricFormula binaryAccuracy(Arguments &arguments, FloatType type) {
  float threshold = arguments.real("threshold", 0.5);
  return [=](Expr y, const Prediction &p) {
    return matches(y, castTo(p.output > threshold, typeOf(y).getElementType()), type);
  };
}

static MetricFormula categoricalAccuracy(Arguments &, FloatType type) {
  return [=](Expr y, const Prediction &p) { return matches(argmax(y), argmax(p.output), type); };
}

static MetricFormula sparseCategoricalAccuracy(Arguments &, FloatType type) {
  return [=](Expr y, const Prediction &p) { return matches(y, argmax(p.output), type); };
}

static MetricFormula meanAbsoluteError(Arguments &, FloatType type) {
  return [=](Expr y, const Prediction &p) {
    return castTo(mean(abs(y - p.output), lastAxis(y)), type);
  };
}

/// A loss under its own name.
template <const char *loss>
static MetricFormula lossAsMetric(Arguments &arguments, FloatType type) {
  LossFormula samples = readLossFormula(loss, arguments);
  return [=](Expr y, const Prediction &p) { return castTo(samples(y, p), type); };
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
  classIndices
};

struct MetricRow {
  SmallVector<StringRef> names;
  Compares compares;
  MetricFormula (*read)(Arguments &, FloatType);
};
} // namespace

static constexpr char squaredError[] = "MeanSquaredError", binary[] = "BinaryCrossentropy",
                      categorical[] = "CategoricalCrossentropy",
                      sparse[] = "SparseCategoricalCrossentropy";

static ArrayRef<MetricRow> metrics() {
  static const MetricRow table[] = {
      {{"Accuracy"}, Compares::values, accuracy},
      {{"BinaryAccuracy", "binary_accuracy"}, Compares::values, binaryAccuracy},
      {{"CategoricalAccuracy", "categorical_accuracy"},
       Compares::distributions,
       categoricalAccuracy},
      {{"SparseCategoricalAccuracy", "sparse_categorical_accuracy"},
       Compares::classIndices,
       sparseCategoricalAccuracy},
      {{"MeanAbsoluteError", "mean_absolute_error", "mae", "MAE"},
       Compares::values,
       meanAbsoluteError},
      {{squaredError, "mean_squared_error", "mse", "MSE"},
       Compares::values,
       lossAsMetric<squaredError>},
      {{binary, "binary_crossentropy", "bce", "BCE"}, Compares::values, lossAsMetric<binary>},
      {{categorical, "categorical_crossentropy"},
       Compares::distributions,
       lossAsMetric<categorical>},
      {{sparse, "sparse_categorical_crossentropy"}, Compares::classIndices, lossAsMetric<sparse>},
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
  }
  llvm_unreachable("all kinds are above");
}

/// The target as the formula needs it: of the output's rank and type, if it is compared with
/// numbers. A dimension of 1 is added where the target lacks it.
static MetricFormula aligned(Compares compares, MetricFormula formula) {
  if (compares != Compares::values)
    return formula;
  return [=](Expr y, const Prediction &p) {
    SmallVector<int64_t> shape(typeOf(y).getShape());
    llvm::replace(shape, ShapedType::kDynamic, int64_t(-1));
    shape.resize(typeOf(p.output).getRank(), 1);
    Expr same(y.build(), ReshapeOp::create(y.build(), y.value(), shape));
    return formula(castTo(same, typeOf(p.output).getElementType()), p);
  };
}

/// The type that the metric was created with: that of its total and count.
static FloatType readType(Arguments &arguments, FloatType floatx) {
  StringRef type = arguments.text("dtype", "");
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
  Metric metric{readName(keras, *object, arguments), readType(arguments, subject.floatx), {}};
  metric.values = aligned(row->compares, row->read(arguments, metric.type));
  arguments.finish();
  return metric;
}

} // namespace formwork
