// F scores, the coefficient of determination and the intersection over union
// (keras/src/metrics/f_score_metrics.py, regression_metrics.py, iou_metrics.py).
//
// Refuses axes of classes other than the last.
#include "passes/training/MetricKinds.h"

#include "ir/Dialect.h"

using namespace mlir;

namespace formwork {

/// keras.config.epsilon().
static constexpr double epsilon = 1e-7;

static RankedTensorType typeOf(Expr x) { return cast<RankedTensorType>(x.value().getType()); }

static Expr reshaped(Expr x, ArrayRef<int64_t> shape) {
  return {x.build(), ReshapeOp::create(x.build(), x.value(), shape)};
}

/// The number of classes, of an output that is samples by classes.
static int64_t readClasses(Arguments &arguments, const MetricSubject &subject) {
  RankedTensorType type = subject.outputType;
  if (type.getRank() == 2 && !type.isDynamicDim(1))
    return type.getDimSize(1);
  arguments.problems().report() << arguments.ownerName()
                                << " needs samples by classes, and output '" << subject.output
                                << "' is " << type;
  return 1;
}

/// Each sample's weight in the metric's type, as a column; none if all count 1.
static std::optional<Expr> columnOf(SampleWeights weights, FloatType type) {
  if (!weights)
    return {};
  return reshaped(castTo(*weights, type), {-1, 1});
}

//===--- F ---------------------------------------------------------------------------------------

/// What counts as predicted: what is above the threshold, or the largest, unless it is 0.
static Expr predicted(Expr p, std::optional<double> threshold) {
  if (threshold)
    return p > *threshold;
  return p >= maxOver(p, 1, /*keepdims=*/true) && abs(p) > 1e-9;
}

static void readScore(Metric &metric, Arguments &arguments, const MetricSubject &subject,
                      double beta) {
  // Without an average there is a number for each class.
  StringRef average = arguments.text("average", "", /*none=*/"");
  if (!llvm::is_contained({"", "micro", "macro", "weighted"}, average))
    arguments.reject("average") << "and must be None, 'micro', 'macro' or 'weighted'";
  std::optional<double> threshold;
  if (arguments.raw("threshold"))
    threshold = arguments.real("threshold", 0.5);
  SmallVector<int64_t> shape, axes = {0};
  int64_t classes = readClasses(arguments, subject);
  if (average == "micro")
    axes = {0, 1};
  else
    shape = {classes};
  metric.accumulators = {{"true_positives", shape},
                         {"false_positives", shape},
                         {"false_negatives", shape},
                         {"intermediate_weights", shape}};
  metric.ofBatch = [=, type = metric.type](Expr target, const Prediction &prediction,
                                           SampleWeights samples) -> SmallVector<Expr> {
    Expr y = castTo(target, type);
    Expr p = castTo(predicted(castTo(prediction.output, type), threshold), type);
    std::optional<Expr> weights = columnOf(samples, type);
    auto total = [&](Expr x) { return sum(weights ? x * *weights : x, axes); };
    return {total(p * y), total(p * (1 - y)), total((1 - p) * y), total(y)};
  };
  bool weighs = average == "weighted", averages = average == "macro";
  metric.result = [=](ArrayRef<Expr> sums) {
    Expr tp = sums[0], precision = tp / (tp + sums[1] + epsilon);
    Expr recall = tp / (tp + sums[2] + epsilon);
    Expr score = precision * recall / (precision * (beta * beta) + recall + epsilon);
    score = score * (1 + beta * beta);
    if (weighs)
      return sum(score * (sums[3] / (sum(sums[3], 0) + epsilon)), 0);
    return averages ? mean(score, 0) : score;
  };
}

void readFBetaScore(Metric &metric, Arguments &arguments, const MetricSubject &subject) {
  readScore(metric, arguments, subject, arguments.real("beta", 1));
}

void readF1Score(Metric &metric, Arguments &arguments, const MetricSubject &subject) {
  readScore(metric, arguments, subject, 1);
}

//===--- R^2 -------------------------------------------------------------------------------------

/// Of R^2 with the number of regressors p: 1 - (1 - R^2) (n - 1) / (n - p - 1), where that is one.
static Expr adjusted(Expr score, Expr samples, int64_t regressors) {
  if (regressors == 0)
    return score;
  Expr left = samples - double(regressors) - 1;
  return select(left > 0, 1 - (1 - score) * (samples - 1) / left, score);
}

void readR2Score(Metric &metric, Arguments &arguments, const MetricSubject &subject) {
  // Without an average there is a number for each class.
  StringRef aggregation = arguments.text("class_aggregation", "uniform_average", /*none=*/"");
  if (!llvm::is_contained({"", "uniform_average", "variance_weighted_average"}, aggregation))
    arguments.reject("class_aggregation")
        << "and must be None, 'uniform_average' or 'variance_weighted_average'";
  int64_t regressors = arguments.integer("num_regressors", 0);
  SmallVector<int64_t> shape = {readClasses(arguments, subject)};
  metric.accumulators = {{"num_samples", {}},
                         {"squared_sum", shape},
                         {"sum", shape},
                         {"residual", shape},
                         {"count", shape}};
  metric.ofBatch = [=, type = metric.type](Expr target, const Prediction &prediction,
                                           SampleWeights samples) -> SmallVector<Expr> {
    Expr y = castTo(target, type), p = castTo(prediction.output, type);
    std::optional<Expr> weights = columnOf(samples, type);
    Expr ones = equal(y, y) || notEqual(y, y), counts = castTo(ones, type);
    auto total = [&](Expr x) { return sum(weights ? x * *weights : x, 0); };
    return {countAlong(y, {0, 1}), total(square(y)), total(y), total(square(y - p)), total(counts)};
  };
  bool weighs = aggregation == "variance_weighted_average", averages = !aggregation.empty();
  metric.result = [=](ArrayRef<Expr> sums) {
    Expr all = sums[1] - sums[2] * (sums[2] / sums[4]);
    Expr score = 1 - sums[3] / all;
    score = select(equal(abs(score), std::numeric_limits<double>::infinity()), 0, score);
    if (averages)
      score = weighs ? sum(all * score, 0) / sum(all, 0) : mean(score, 0);
    return adjusted(score, sums[0], regressors);
  };
}

//===--- intersection over union -----------------------------------------------------------------

namespace {
struct ClassRule {
  int64_t classes = 2;
  std::vector<int64_t> targets;
  bool sparseTarget = true, sparseOutput = true;
  std::optional<int64_t> ignored;
  /// Of outputs that are numbers, not classes.
  std::optional<double> threshold;
};
} // namespace

static Type indexType(Expr x) { return x.build().getI64Type(); }

/// The classes, as i64 in one dimension.
static Expr classesOf(Expr x, bool sparse) {
  ImplicitLocOpBuilder &builder = x.build();
  if (!sparse)
    x = Expr(builder, ArgmaxOp::create(builder, x.value(), typeOf(x).getRank() - 1));
  return reshaped(castTo(x, indexType(x)), {-1});
}

/// How often the row's class, which a target is, was taken for the column's.
static Expr confusionMatrix(const ClassRule &rule, Expr y, Expr p, SampleWeights samples,
                            Type type) {
  ImplicitLocOpBuilder &builder = y.build();
  int64_t samplesRank = typeOf(y).getRank() - (rule.sparseTarget ? 0 : 1);
  std::optional<Expr> weights;
  if (samples) {
    // Keras counts in whole numbers.
    Expr whole = castTo(castTo(*samples, indexType(y)), type);
    Expr like =
        rule.sparseTarget ? y : Expr(builder, ArgmaxOp::create(builder, y.value(), samplesRank));
    weights = reshaped(weightsLike(whole, like, type), {-1, 1});
  }
  if (rule.threshold)
    p = castTo(p >= *rule.threshold, indexType(p));
  Expr target = classesOf(y, rule.sparseTarget), output = classesOf(p, rule.sparseOutput);
  // A class that is none of these has a row of zeros.
  auto oneHot = [&](Expr x) {
    return Expr(builder, OneHotOp::create(builder, x.value(), rule.classes, type));
  };
  Expr rows = oneHot(target), columns = oneHot(output);
  if (rule.ignored)
    rows = rows * reshaped(castTo(notEqual(target, double(*rule.ignored)), type), {-1, 1});
  if (weights)
    rows = rows * *weights;
  return {builder, DotGeneralOp::create(builder, rows.value(), columns.value(),
                                        ArrayRef<int64_t>{0}, ArrayRef<int64_t>{0})};
}

static Expr intersectionOverUnion(const ClassRule &rule, Expr matrix, FloatType type) {
  ImplicitLocOpBuilder &builder = matrix.build();
  Expr row = iotaLike(matrix, 0), column = iotaLike(matrix, 1);
  Expr both = sum(select(equal(row, column), matrix, 0), 1);
  Expr united = sum(matrix, 0) + sum(matrix, 1) - both;
  SmallVector<Attribute> wanted;
  for (int64_t i = 0; i < rule.classes; ++i)
    wanted.push_back(FloatAttr::get(type, llvm::count(rule.targets, i)));
  auto shape = RankedTensorType::get({rule.classes}, type);
  Expr times(builder, ConstantOp::create(builder, DenseElementsAttr::get(shape, wanted)));
  Expr size = castTo(united, type), isThere = castTo(size > 1e-9, type) * times;
  Expr each = castTo(both, type) / (size + epsilon) * isThere;
  return sum(each, 0) / (sum(isThere, 0) + epsilon);
}

static void becomeIoU(Metric &metric, const ClassRule &rule) {
  Type counts = IntegerType::get(metric.type.getContext(), 64);
  metric.sumType = counts;
  metric.accumulators = {{"total_confusion_matrix", {rule.classes, rule.classes}}};
  metric.ofBatch = [=, type = metric.type](Expr y, const Prediction &p,
                                           SampleWeights weights) -> SmallVector<Expr> {
    return {castTo(confusionMatrix(rule, y, p.output, weights, type), counts)};
  };
  // Keras computes the ratio in f32 whatever the model's type is.
  metric.result = [=, single = Float32Type::get(counts.getContext())](ArrayRef<Expr> sums) {
    return intersectionOverUnion(rule, sums[0], single);
  };
}

static void readTargets(ClassRule &rule, Arguments &arguments) {
  for (double id : arguments.reals("target_class_ids"))
    rule.targets.push_back(int64_t(id));
  if (llvm::any_of(rule.targets, [&](int64_t id) { return id < 0 || id >= rule.classes; }))
    arguments.reject("target_class_ids") << "and must be in [0, " << rule.classes << ")";
}

/// What all but BinaryIoU have.
static ClassRule readClassRule(Arguments &arguments, const MetricSubject &subject, bool sparse) {
  ClassRule rule;
  rule.classes = arguments.integer("num_classes", 2);
  if (rule.classes < 1 || rule.classes > 1 << 15)
    arguments.reject("num_classes") << "and must be between 1 and 2^15", rule.classes = 1;
  rule.sparseTarget = sparse && arguments.flag("sparse_y_true", true);
  rule.sparseOutput = arguments.flag("sparse_y_pred", sparse);
  if (arguments.raw("ignore_class"))
    rule.ignored = arguments.integer("ignore_class", 0);
  if (arguments.integer("axis", -1) != -1)
    arguments.reject("axis") << "and only the last axis, -1, is supported";
  int64_t targetRank = subject.targetType.getRank() - (rule.sparseTarget ? 0 : 1);
  int64_t outputRank = subject.outputType.getRank() - (rule.sparseOutput ? 0 : 1);
  bool isColumn = outputRank == targetRank + 1 && subject.outputType.getShape().back() == 1;
  if (targetRank != outputRank && !isColumn)
    arguments.problems().report() << arguments.ownerName()
                                  << " compares classes, and those of output '" << subject.output
                                  << "', " << subject.outputType << ", do not match its target's, "
                                  << subject.targetType << "; set sparse_y_true and sparse_y_pred";
  return rule;
}

static void fillTargets(ClassRule &rule) {
  for (int64_t i = 0; i < rule.classes; ++i)
    rule.targets.push_back(i);
}

void readIoU(Metric &metric, Arguments &arguments, const MetricSubject &subject) {
  ClassRule rule = readClassRule(arguments, subject, /*sparse=*/true);
  readTargets(rule, arguments);
  becomeIoU(metric, rule);
}

void readMeanIoU(Metric &metric, Arguments &arguments, const MetricSubject &subject) {
  ClassRule rule = readClassRule(arguments, subject, /*sparse=*/true);
  fillTargets(rule);
  becomeIoU(metric, rule);
}

void readOneHotIoU(Metric &metric, Arguments &arguments, const MetricSubject &subject) {
  ClassRule rule = readClassRule(arguments, subject, /*sparse=*/false);
  readTargets(rule, arguments);
  becomeIoU(metric, rule);
}

void readOneHotMeanIoU(Metric &metric, Arguments &arguments, const MetricSubject &subject) {
  ClassRule rule = readClassRule(arguments, subject, /*sparse=*/false);
  fillTargets(rule);
  becomeIoU(metric, rule);
}

void readBinaryIoU(Metric &metric, Arguments &arguments, const MetricSubject &) {
  ClassRule rule;
  if (arguments.raw("target_class_ids"))
    readTargets(rule, arguments);
  else
    fillTargets(rule);
  rule.threshold = arguments.real("threshold", 0.5);
  becomeIoU(metric, rule);
}

} // namespace formwork
