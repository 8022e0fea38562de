// Metrics of the confusion matrix at thresholds (keras/src/metrics/confusion_metrics.py): counts,
// precision, recall, one of them at a value of another, and the area under a curve.
//
// A prediction is positive if it is greater than the threshold. Where thresholds are evenly spaced,
// predictions are clipped to [0, 1] and targets count by their value, as in Keras's faster way;
// else targets are true if they are not 0.
//
// Refuses multi_label.
#include "passes/training/MetricKinds.h"

#include "ir/Dialect.h"

#include <numeric>

using namespace mlir;

namespace formwork {

/// keras.config.epsilon().
static constexpr double epsilon = 1e-7;

namespace {
/// At each threshold.
struct Confusion {
  Expr truePositives, falsePositives, trueNegatives, falseNegatives;
};

/// What is compared, and how.
struct ConfusionRule {
  std::vector<double> thresholds;
  bool byValue = false;
  bool fromLogits = false;
  std::optional<int64_t> classId, topK;
  /// By which each element of the last axis counts; empty: all count 1.
  std::vector<double> labelWeights;
};
} // namespace

static RankedTensorType typeOf(Expr x) { return cast<RankedTensorType>(x.value().getType()); }

static Expr constantOf(Expr like, ArrayRef<double> values) {
  auto element = cast<FloatType>(typeOf(like).getElementType());
  SmallVector<Attribute> numbers;
  for (double value : values)
    numbers.push_back(FloatAttr::get(element, value));
  auto type = RankedTensorType::get({int64_t(values.size())}, element);
  ImplicitLocOpBuilder &builder = like.build();
  return {builder, ConstantOp::create(builder, DenseElementsAttr::get(type, numbers))};
}

static Expr reshaped(Expr x, ArrayRef<int64_t> shape) {
  return {x.build(), ReshapeOp::create(x.build(), x.value(), shape)};
}

/// The element of the last axis, which stays.
static Expr ofClass(Expr x, int64_t index) {
  int64_t rank = typeOf(x).getRank();
  SmallVector<int64_t> start(rank, 0), limit(rank, -1), strides(rank, 1);
  start.back() = index, limit.back() = index + 1;
  return {x.build(), SliceOp::create(x.build(), x.value(), start, limit, strides)};
}

/// All but the k largest along the last axis become as good as minus infinity. Of equals the first
/// is the largest. The result has two dimensions.
static Expr onlyTopK(Expr x, int64_t k) {
  int64_t size = typeOf(x).getShape().back();
  x = reshaped(x, {-1, size});
  Expr mine = reshaped(x, {-1, size, 1}), other = reshaped(x, {-1, 1, size});
  std::vector<double> numbers(size);
  std::iota(numbers.begin(), numbers.end(), 0);
  Expr index = constantOf(x, numbers);
  Expr isBefore = reshaped(index, {1, size}) < reshaped(index, {size, 1});
  Expr isLarger = other > mine || (equal(other, mine) && isBefore);
  Expr larger = sum(castTo(isLarger, typeOf(x).getElementType()), 2);
  return select(larger < double(k), x, -1e10);
}

/// The weights of all elements, as a column; none if all count 1.
static std::optional<Expr> weightsOf(const ConfusionRule &rule, Expr like, SampleWeights samples) {
  std::optional<Expr> weights;
  if (samples)
    weights = weightsLike(*samples, like, typeOf(like).getElementType());
  if (!rule.labelWeights.empty()) {
    SmallVector<int64_t> shape(typeOf(like).getRank(), 1);
    shape.back() = int64_t(rule.labelWeights.size());
    Expr labels = reshaped(constantOf(like, rule.labelWeights), shape);
    weights = weights ? *weights * labels : labels;
  }
  if (!weights)
    return {};
  Expr all(like.build(), BroadcastLikeOp::create(like.build(), weights->value(), like.value(),
                                                 ArrayRef<int64_t>()));
  return reshaped(all, {-1, 1});
}

/// What a batch adds at each threshold.
static Confusion confusionOf(const ConfusionRule &rule, Expr y, Expr p, SampleWeights samples,
                             FloatType type) {
  y = castTo(y, type), p = castTo(p, type);
  if (rule.fromLogits)
    p = sigmoid(p);
  if (rule.topK)
    p = onlyTopK(p, *rule.topK);
  if (rule.classId)
    y = ofClass(y, *rule.classId), p = ofClass(p, *rule.classId);
  std::optional<Expr> weights = weightsOf(rule, y, samples);
  y = reshaped(y, {-1, 1}), p = reshaped(p, {-1, 1});
  if (rule.byValue)
    p = max(min(p, 1), 0);
  else
    y = castTo(notEqual(y, 0), type);
  Expr n = 1 - y;
  if (weights)
    y = y * *weights, n = n * *weights;
  Expr isPositive = castTo(p > constantOf(p, rule.thresholds), type);
  Expr truePositives = sum(isPositive * y, 0), falsePositives = sum(isPositive * n, 0);
  return {truePositives, falsePositives, sum(n, 0) - falsePositives, sum(y, 0) - truePositives};
}

static std::optional<int64_t> readOptionalInteger(Arguments &arguments, StringRef name) {
  if (!arguments.raw(name))
    return {};
  return arguments.integer(name, 0);
}

static void readClassId(ConfusionRule &rule, Arguments &arguments, const MetricSubject &subject) {
  rule.classId = readOptionalInteger(arguments, "class_id");
  int64_t classes = subject.outputType.getShape().back();
  if (rule.classId && *rule.classId < 0)
    *rule.classId += classes;
  if (rule.classId && (*rule.classId < 0 || *rule.classId >= classes))
    arguments.reject("class_id") << "but output '" << subject.output << "' has " << classes
                                 << " elements along its last axis";
}

//===--- counts, precision and recall ------------------------------------------------------------

/// Evenly spaced in [0, 1].
static std::vector<double> evenThresholds(int64_t count) {
  if (count == 1)
    return {0.5};
  std::vector<double> thresholds = {0};
  for (int64_t i = 1; i < count - 1; ++i)
    thresholds.push_back(double(i) / double(count - 1));
  thresholds.push_back(1);
  return thresholds;
}

/// Whether Keras takes these for evenly spaced, and then counts by value.
static bool areEven(ArrayRef<double> thresholds) {
  if (thresholds.size() < 3)
    return false;
  return llvm::all_of(llvm::zip(thresholds, evenThresholds(int64_t(thresholds.size()))),
                      [](auto pair) {
                        auto [given, even] = pair;
                        return std::abs(given - even) <= epsilon;
                      });
}

/// One threshold or several, in [0, 1], or the default.
static void readGivenThresholds(ConfusionRule &rule, Arguments &arguments, double byDefault) {
  Attribute given = arguments.raw("thresholds");
  rule.thresholds = {byDefault};
  if (!given)
    return;
  rule.thresholds = isa<ArrayAttr>(given) ? arguments.reals("thresholds")
                                          : std::vector{arguments.real("thresholds", byDefault)};
  bool within = llvm::all_of(rule.thresholds, [](double t) { return t >= 0 && t <= 1; });
  if (rule.thresholds.empty() || !within)
    arguments.reject("thresholds") << "and must be numbers between 0 and 1, at least one";
  rule.byValue = areEven(rule.thresholds);
}

/// A number for each threshold: of one, the number alone.
static Expr onlyIfSingle(Expr each) {
  return typeOf(each).getDimSize(0) == 1 ? reshaped(each, {}) : each;
}

template <Expr Confusion::*count> static void readCount(Metric &metric, Arguments &arguments) {
  ConfusionRule rule;
  readGivenThresholds(rule, arguments, 0.5);
  metric.accumulators = {{"accumulator", {int64_t(rule.thresholds.size())}}};
  metric.ofBatch = [=, type = metric.type](Expr y, const Prediction &p,
                                           SampleWeights weights) -> SmallVector<Expr> {
    return {confusionOf(rule, y, p.output, weights, type).*count};
  };
  metric.result = [](ArrayRef<Expr> sums) { return onlyIfSingle(sums[0]); };
}

void readTruePositives(Metric &metric, Arguments &arguments, const MetricSubject &) {
  readCount<&Confusion::truePositives>(metric, arguments);
}
void readTrueNegatives(Metric &metric, Arguments &arguments, const MetricSubject &) {
  readCount<&Confusion::trueNegatives>(metric, arguments);
}
void readFalsePositives(Metric &metric, Arguments &arguments, const MetricSubject &) {
  readCount<&Confusion::falsePositives>(metric, arguments);
}
void readFalseNegatives(Metric &metric, Arguments &arguments, const MetricSubject &) {
  readCount<&Confusion::falseNegatives>(metric, arguments);
}

/// True positives in proportion to them and to `others`.
template <Expr Confusion::*others>
static void readShare(Metric &metric, StringRef name, Arguments &arguments,
                      const MetricSubject &subject) {
  ConfusionRule rule;
  rule.topK = readOptionalInteger(arguments, "top_k");
  readGivenThresholds(rule, arguments, rule.topK ? -1e10 : 0.5);
  readClassId(rule, arguments, subject);
  if (rule.topK && subject.outputType.isDynamicDim(subject.outputType.getRank() - 1))
    arguments.reject("top_k") << "and the number of classes is not known";
  auto count = int64_t(rule.thresholds.size());
  metric.accumulators = {{"true_positives", {count}}, {name, {count}}};
  metric.ofBatch = [=, type = metric.type](Expr y, const Prediction &p,
                                           SampleWeights weights) -> SmallVector<Expr> {
    Confusion confusion = confusionOf(rule, y, p.output, weights, type);
    return {confusion.truePositives, confusion.*others};
  };
  metric.result = [](ArrayRef<Expr> sums) {
    return onlyIfSingle(divideNoNan(sums[0], sums[0] + sums[1]));
  };
}

void readPrecision(Metric &metric, Arguments &arguments, const MetricSubject &subject) {
  readShare<&Confusion::falsePositives>(metric, "false_positives", arguments, subject);
}
void readRecall(Metric &metric, Arguments &arguments, const MetricSubject &subject) {
  readShare<&Confusion::falseNegatives>(metric, "false_negatives", arguments, subject);
}

//===--- all four at many thresholds -------------------------------------------------------------

static void accumulateAll(Metric &metric, const ConfusionRule &rule) {
  int64_t size = int64_t(rule.thresholds.size());
  metric.accumulators = {{"true_positives", {size}},
                         {"false_positives", {size}},
                         {"true_negatives", {size}},
                         {"false_negatives", {size}}};
  metric.ofBatch = [=, type = metric.type](Expr y, const Prediction &p,
                                           SampleWeights weights) -> SmallVector<Expr> {
    Confusion batch = confusionOf(rule, y, p.output, weights, type);
    return {batch.truePositives, batch.falsePositives, batch.trueNegatives, batch.falseNegatives};
  };
}

static Confusion confusionFrom(ArrayRef<Expr> sums) { return {sums[0], sums[1], sums[2], sums[3]}; }

static Expr recallOf(const Confusion &all) {
  return divideNoNan(all.truePositives, all.truePositives + all.falseNegatives);
}
static Expr specificityOf(const Confusion &all) {
  return divideNoNan(all.trueNegatives, all.trueNegatives + all.falsePositives);
}
static Expr precisionOf(const Confusion &all) {
  return divideNoNan(all.truePositives, all.truePositives + all.falsePositives);
}

static int64_t readThresholdCount(Arguments &arguments, int64_t least) {
  int64_t count = arguments.integer("num_thresholds", 200);
  if (count >= least && count <= 1 << 20)
    return count;
  arguments.reject("num_thresholds") << "and must be between " << least << " and 2^20";
  return least;
}

/// The largest `wanted` at thresholds where `bounded` is at least the argument.
template <Expr (*wanted)(const Confusion &), Expr (*bounded)(const Confusion &)>
static void readBest(Metric &metric, StringRef bound, Arguments &arguments,
                     const MetricSubject &subject) {
  double least = arguments.real(bound, 0);
  if (least < 0 || least > 1)
    arguments.reject(bound) << "and must be between 0 and 1";
  ConfusionRule rule;
  rule.thresholds = evenThresholds(readThresholdCount(arguments, 1));
  rule.byValue = rule.thresholds.size() > 2;
  readClassId(rule, arguments, subject);
  accumulateAll(metric, rule);
  metric.result = [=](ArrayRef<Expr> sums) {
    Confusion all = confusionFrom(sums);
    return max(maxOver(select(bounded(all) >= least, wanted(all), 0), 0), 0);
  };
}

void readSensitivityAtSpecificity(Metric &metric, Arguments &arguments,
                                  const MetricSubject &subject) {
  readBest<recallOf, specificityOf>(metric, "specificity", arguments, subject);
}
void readSpecificityAtSensitivity(Metric &metric, Arguments &arguments,
                                  const MetricSubject &subject) {
  readBest<specificityOf, recallOf>(metric, "sensitivity", arguments, subject);
}
void readPrecisionAtRecall(Metric &metric, Arguments &arguments, const MetricSubject &subject) {
  readBest<precisionOf, recallOf>(metric, "recall", arguments, subject);
}
void readRecallAtPrecision(Metric &metric, Arguments &arguments, const MetricSubject &subject) {
  readBest<recallOf, precisionOf>(metric, "precision", arguments, subject);
}

//===--- the area under a curve ------------------------------------------------------------------

static Expr withoutLast(Expr x) {
  return {x.build(), SliceOp::create(x.build(), x.value(), ArrayRef<int64_t>{0},
                                     ArrayRef<int64_t>{-2}, ArrayRef<int64_t>{1})};
}
static Expr withoutFirst(Expr x) {
  return {x.build(), SliceOp::create(x.build(), x.value(), ArrayRef<int64_t>{1},
                                     ArrayRef<int64_t>{-1}, ArrayRef<int64_t>{1})};
}

/// Davis & Goadrich: between two thresholds precision is no straight line.
static Expr interpolatedPrecisionRecall(const Confusion &all) {
  Expr tp = all.truePositives, p = tp + all.falsePositives;
  Expr dtp = withoutLast(tp) - withoutFirst(tp), dp = withoutLast(p) - withoutFirst(p);
  Expr slope = divideNoNan(dtp, max(dp, 0));
  Expr intercept = withoutFirst(tp) - slope * withoutFirst(p);
  Expr ratio = select(withoutLast(p) > 0 && withoutFirst(p) > 0,
                      divideNoNan(withoutLast(p), max(withoutFirst(p), 0)), 1);
  Expr positives = withoutFirst(tp) + withoutFirst(all.falseNegatives);
  return sum(divideNoNan(slope * (dtp + intercept * log(ratio)), max(positives, 0)), 0);
}

static std::pair<Expr, Expr> gainCurve(const Confusion &all) {
  Expr tp = all.truePositives;
  Expr scale = divideNoNan(tp + all.falseNegatives, all.trueNegatives + all.falsePositives);
  Expr recall = 1 - scale * divideNoNan(all.falseNegatives, tp);
  Expr precision = 1 - scale * divideNoNan(all.falsePositives, tp);
  return {max(select(equal(tp, 0), 0, recall), 0), select(equal(tp, 0), 1, precision)};
}

/// The curve's abscissas and ordinates, one for each threshold.
static std::pair<Expr, Expr> curveOf(StringRef curve, const Confusion &all) {
  if (curve == "PR")
    return {recallOf(all), precisionOf(all)};
  if (curve == "PRGAIN")
    return gainCurve(all);
  return {divideNoNan(all.falsePositives, all.falsePositives + all.trueNegatives), recallOf(all)};
}

static Expr areaUnder(StringRef curve, StringRef method, const Confusion &all) {
  if (curve == "PR" && method == "interpolation")
    return interpolatedPrecisionRecall(all);
  auto [x, y] = curveOf(curve, all);
  Expr left = withoutLast(y), right = withoutFirst(y);
  Expr height = method == "minoring"   ? min(left, right)
                : method == "majoring" ? max(left, right)
                                       : (left + right) / 2;
  return sum((withoutLast(x) - withoutFirst(x)) * height, 0);
}

/// The thresholds of an AUC; sets whether they are evenly spaced.
static void readThresholds(ConfusionRule &rule, Arguments &arguments) {
  if (!arguments.raw("thresholds")) {
    rule.thresholds = evenThresholds(readThresholdCount(arguments, 2));
    rule.byValue = true;
  } else {
    (void)arguments.raw("num_thresholds"); // follows from the thresholds
    rule.thresholds = arguments.reals("thresholds");
    llvm::sort(rule.thresholds);
    rule.thresholds.insert(rule.thresholds.begin(), 0);
    rule.thresholds.push_back(1);
    rule.byValue = areEven(rule.thresholds);
  }
  rule.thresholds.front() = -epsilon, rule.thresholds.back() = 1 + epsilon;
}

static std::string readChoice(Arguments &arguments, StringRef name, StringRef byDefault,
                              ArrayRef<StringRef> choices) {
  StringRef given = arguments.text(name, byDefault);
  for (StringRef choice : choices)
    if (given.equals_insensitive(choice))
      return choice.str();
  InFlightDiagnostic error = arguments.reject(name);
  error << "and must be one of ";
  llvm::interleaveComma(choices, error);
  return byDefault.str();
}

void readAUC(Metric &metric, Arguments &arguments, const MetricSubject &subject) {
  ConfusionRule rule;
  readThresholds(rule, arguments);
  rule.fromLogits = arguments.flag("from_logits", false);
  if (arguments.raw("label_weights"))
    rule.labelWeights = arguments.reals("label_weights");
  int64_t labels = subject.outputType.getShape().back();
  if (!rule.labelWeights.empty() && int64_t(rule.labelWeights.size()) != labels)
    arguments.reject("label_weights") << "and output '" << subject.output << "' has " << labels
                                      << " labels, which need a weight each";
  if (arguments.flag("multi_label", false))
    arguments.reject("multi_label") << "which is not supported; set it to False, which counts the "
                                       "labels together";
  arguments.ignore({"num_labels"}); // of multi_label
  std::string curve = readChoice(arguments, "curve", "ROC", {"ROC", "PR", "PRGAIN"});
  std::string method = readChoice(arguments, "summation_method", "interpolation",
                                  {"interpolation", "minoring", "majoring"});
  accumulateAll(metric, rule);
  metric.result = [=](ArrayRef<Expr> sums) {
    return areaUnder(curve, method, confusionFrom(sums));
  };
}

} // namespace formwork
