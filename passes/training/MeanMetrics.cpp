// Metrics that are means over samples: accuracies and errors
// (keras/src/metrics/accuracy_metrics.py, regression_metrics.py; the mean is that of
// reduction_metrics.py).
//
// Refuses from_sorted_ids, whose output is no distribution over classes.
#include "passes/training/MetricKinds.h"

#include "ir/Dialect.h"

using namespace mlir;

namespace formwork {

static RankedTensorType typeOf(Expr x) { return cast<RankedTensorType>(x.value().getType()); }
static int64_t lastAxis(Expr x) { return typeOf(x).getRank() - 1; }

Expr weightsLike(Expr weights, Expr like, Type element) {
  auto lacking = llvm::seq<int64_t>(typeOf(weights).getRank(), typeOf(like).getRank());
  return broadcastLike(castTo(weights, element), like, llvm::to_vector(lacking));
}

Expr divideNoNan(Expr a, Expr b) { return select(equal(b, 0), 0, a / b); }

//===--- means -----------------------------------------------------------------------------------

/// The mean over the axes from this one on.
static Expr meanFrom(int64_t axis, Expr values) {
  auto axes = llvm::to_vector(llvm::seq<int64_t>(axis, typeOf(values).getRank()));
  return axes.empty() ? values : mean(values, axes);
}

Expr meanResult(ArrayRef<Expr> sums) { return select(sums[1] > 0, sums[0] / sums[1], 0); }

void becomeMean(Metric &metric, MetricFormula values) {
  metric.accumulators = {{"total", {}}, {"count", {}}};
  metric.ofBatch = [=](Expr y, const Prediction &p, SampleWeights weights) -> SmallVector<Expr> {
    Expr each = values(y, p);
    if (p.mask) {
      Expr counts = castTo(*p.mask, typeOf(each).getElementType());
      weights = weights ? castTo(*weights, typeOf(each).getElementType()) * counts : counts;
    }
    if (!weights) {
      Expr samples = meanFrom(1, each);
      return {sum(samples, 0), countAlong(samples, 0)};
    }
    Expr counts = castTo(*weights, typeOf(each).getElementType());
    Expr weighted = meanFrom(typeOf(counts).getRank(), each) * counts;
    return {sum(meanFrom(1, weighted), 0), sum(meanFrom(1, counts), 0)};
  };
  metric.result = meanResult;
}

//===--- accuracies ------------------------------------------------------------------------------

/// 1 where the two are equal, else 0.
static Expr matches(Expr a, Expr b, FloatType type) { return castTo(equal(a, b), type); }

/// The index of the largest element along the last axis.
static Expr argmax(Expr x) {
  return {x.build(), ArgmaxOp::create(x.build(), x.value(), lastAxis(x))};
}

void readAccuracy(Metric &metric, Arguments &, const MetricSubject &) {
  becomeMean(metric, [type = metric.type](Expr y, const Prediction &p) {
    return matches(y, p.output, type);
  });
}

void readBinaryAccuracy(Metric &metric, Arguments &arguments, const MetricSubject &) {
  float threshold = arguments.real("threshold", 0.5);
  becomeMean(metric, [=, type = metric.type](Expr y, const Prediction &p) {
    return matches(y, castTo(p.output > threshold, typeOf(y).getElementType()), type);
  });
}

void readCategoricalAccuracy(Metric &metric, Arguments &, const MetricSubject &) {
  becomeMean(metric, [type = metric.type](Expr y, const Prediction &p) {
    return matches(argmax(y), argmax(p.output), type);
  });
}

void readSparseCategoricalAccuracy(Metric &metric, Arguments &, const MetricSubject &) {
  becomeMean(metric, [type = metric.type](Expr y, const Prediction &p) {
    return matches(y, argmax(p.output), type);
  });
}

/// Whether fewer than k classes have a larger output than the label's. One that is no finite number
/// is not among them.
static Expr inTopK(Expr label, Expr output, int64_t k, FloatType type) {
  ImplicitLocOpBuilder &builder = output.build();
  int64_t classes = lastAxis(output);
  auto outputType = typeOf(output);
  Expr isLabel(builder, OneHotOp::create(builder, label.value(), outputType.getShape().back(),
                                         outputType.getElementType()));
  Expr ofLabel = sum(select(equal(isLabel, 1), output, 0), classes, /*keepdims=*/true);
  Expr larger = sum(castTo(output > ofLabel, type), classes);
  Expr isFinite = equal(sum(ofLabel - ofLabel, classes), 0);
  return castTo(larger < double(k) && isFinite, type);
}

void readTopK(Metric &metric, Arguments &arguments, const MetricSubject &) {
  int64_t k = arguments.integer("k", 5);
  becomeMean(metric, [=, type = metric.type](Expr y, const Prediction &p) {
    return inTopK(argmax(y), p.output, k, type);
  });
}

void readSparseTopK(Metric &metric, Arguments &arguments, const MetricSubject &) {
  int64_t k = arguments.integer("k", 5);
  if (arguments.flag("from_sorted_ids", false))
    arguments.reject("from_sorted_ids") << "which is not supported; set it to False";
  becomeMean(metric, [=, type = metric.type](Expr y, const Prediction &p) {
    return inTopK(y, p.output, k, type);
  });
}

//===--- errors ----------------------------------------------------------------------------------

void readRootMeanSquaredError(Metric &metric, Arguments &, const MetricSubject &) {
  becomeMean(metric, [type = metric.type](Expr y, const Prediction &p) {
    return square(castTo(p.output, type) - castTo(y, type));
  });
  // Keras's has no eye for the mask.
  metric.ofBatch = [ofBatch = metric.ofBatch](Expr y, Prediction p, SampleWeights weights) {
    p.mask = {};
    return ofBatch(y, p, weights);
  };
  metric.result = [mean = metric.result](ArrayRef<Expr> sums) { return sqrt(mean(sums)); };
}

/// The loss of this name is its negative.
void readCosineSimilarity(Metric &metric, Arguments &arguments, const MetricSubject &) {
  LossFormula loss = readLossFormula("CosineSimilarity", arguments);
  becomeMean(metric, [=, type = metric.type](Expr y, const Prediction &p) {
    return castTo(-loss(y, p), type);
  });
}

} // namespace formwork
