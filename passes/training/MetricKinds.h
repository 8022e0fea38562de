// The kinds of metrics, a source file each, and what they share. For Metrics.cpp, which has the
// table of them.
#pragma once

#include "passes/training/Metrics.h"

namespace formwork {

/// Fills a metric, whose name and types are set, in.
using MetricReader = void (*)(Metric &, Arguments &, const MetricSubject &);

/// One or more values for each sample, in the metric's type; samples along dimension 0.
using MetricFormula = std::function<Expr(Expr target, const Prediction &)>;

/// The running mean of a formula's values over samples: total / count.
void becomeMean(Metric &metric, MetricFormula values);

/// The weight of each element of `like`, whose leading dimensions are those of the weights.
Expr weightsLike(Expr weights, Expr like, mlir::Type element);

/// a / b, and 0 where b is 0.
Expr divideNoNan(Expr a, Expr b);

// MeanMetrics.cpp
void readAccuracy(Metric &, Arguments &, const MetricSubject &);
void readBinaryAccuracy(Metric &, Arguments &, const MetricSubject &);
void readCategoricalAccuracy(Metric &, Arguments &, const MetricSubject &);
void readSparseCategoricalAccuracy(Metric &, Arguments &, const MetricSubject &);
void readTopK(Metric &, Arguments &, const MetricSubject &);
void readSparseTopK(Metric &, Arguments &, const MetricSubject &);
void readRootMeanSquaredError(Metric &, Arguments &, const MetricSubject &);
void readCosineSimilarity(Metric &, Arguments &, const MetricSubject &);

// ConfusionMetrics.cpp
void readTruePositives(Metric &, Arguments &, const MetricSubject &);
void readTrueNegatives(Metric &, Arguments &, const MetricSubject &);
void readFalsePositives(Metric &, Arguments &, const MetricSubject &);
void readFalseNegatives(Metric &, Arguments &, const MetricSubject &);
void readPrecision(Metric &, Arguments &, const MetricSubject &);
void readRecall(Metric &, Arguments &, const MetricSubject &);
void readSensitivityAtSpecificity(Metric &, Arguments &, const MetricSubject &);
void readSpecificityAtSensitivity(Metric &, Arguments &, const MetricSubject &);
void readPrecisionAtRecall(Metric &, Arguments &, const MetricSubject &);
void readRecallAtPrecision(Metric &, Arguments &, const MetricSubject &);
void readAUC(Metric &, Arguments &, const MetricSubject &);

// ScoreMetrics.cpp
void readFBetaScore(Metric &, Arguments &, const MetricSubject &);
void readF1Score(Metric &, Arguments &, const MetricSubject &);
void readR2Score(Metric &, Arguments &, const MetricSubject &);
void readIoU(Metric &, Arguments &, const MetricSubject &);
void readMeanIoU(Metric &, Arguments &, const MetricSubject &);
void readBinaryIoU(Metric &, Arguments &, const MetricSubject &);
void readOneHotIoU(Metric &, Arguments &, const MetricSubject &);
void readOneHotMeanIoU(Metric &, Arguments &, const MetricSubject &);

} // namespace formwork
