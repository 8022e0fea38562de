// batch_norm and layer_norm, with the textbook's gradients in closed form.
#include "ir/Backpropagation.h"
#include "ir/Broadcasting.h"

using namespace mlir;

namespace formwork {

/// `v`, whose dimensions are those of x at `axes`, in a shape that meets x.
static Expr along(Expr v, Expr x, ArrayRef<int64_t> axes) {
  int64_t rank = cast<RankedTensorType>(x.value().getType()).getRank();
  bool trailing = llvm::equal(axes, llvm::seq<int64_t>(rank - axes.size(), rank));
  return trailing ? v : broadcastLike(v, x, otherAxes(x.value(), axes));
}

/// gamma and beta have the dimensions of x at `axes`.
static LogicalResult verifyParameters(std::optional<Location> location, Value x, Value gamma,
                                      Value beta, ArrayRef<int64_t> axes) {
  auto type = cast<RankedTensorType>(x.getType());
  SmallVector<int64_t> shape;
  for (int64_t axis : axes) {
    if (axis < 0 || axis >= type.getRank())
      return emitOptionalError(location, "axis ", axis, " is not one of ", type);
    shape.push_back(type.getDimSize(axis));
  }
  for (Value parameter : {gamma, beta})
    if (auto given = cast<RankedTensorType>(parameter.getType());
        failed(verifyCompatibleShape(given.getShape(), shape)))
      return emitOptionalError(location, "needs gamma and beta of type ", type.clone(shape),
                               ", not ", given);
  return success();
}

//===--- batch_norm ------------------------------------------------------------------------------

LogicalResult BatchNormOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                            Adaptor adaptor, SmallVectorImpl<Type> &types) {
  if (failed(verifyParameters(location, adaptor.getX(), adaptor.getGamma(), adaptor.getBeta(),
                              int64_t(adaptor.getAxis()))))
    return failure();
  auto x = cast<RankedTensorType>(adaptor.getX().getType());
  auto statistics = x.clone(x.getDimSize(adaptor.getAxis()));
  types.assign({x, statistics, statistics});
  return success();
}

// The corrected two-pass algorithm (Chan, Golub & LeVeque, "Algorithms for computing the sample
// variance", 1983): what the first mean is off by shows in the sum of the differences from it. An
// error of the mean would be the same for all examples, and gradients that are zero would not be.
MaybeValues BatchNormOp::decompose(ImplicitLocOpBuilder &builder) {
  int64_t axis = getAxis();
  SmallVector<int64_t> others = otherAxes(getX(), axis);
  Expr x(builder, getX()), gamma(builder, getGamma()), beta(builder, getBeta());
  Expr rounded = mean(x, others);
  Expr difference = x - along(rounded, x, axis);
  Expr off = mean(difference, others);
  Expr average = rounded + off;
  Expr variance = mean(square(difference), others) - square(off);
  Expr centered = x - along(average, x, axis);
  Expr scale = rsqrt(variance + getEpsilon().convertToDouble()) * gamma;
  Expr y = centered * along(scale, x, axis) + along(beta, x, axis);
  return SmallVector<Value>{conform(builder, y.value(), getY().getType()), average.value(),
                            variance.value()};
}

// With n elements per feature, c = x - mean and r = 1 / sqrt(variance + epsilon):
//   dbeta = sum dy, dgamma = r * sum(dy * c),
//   dx = gamma * r * (dy - dbeta / n - c * r * dgamma / n) + dmean / n + dvariance * 2 * c / n.
// What is divided is one number per feature, and no rounding of it is repeated in a sum of dx,
// which is zero but for the last two terms: the sum of c is.
MaybeValues BatchNormOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  int64_t axis = getAxis();
  SmallVector<int64_t> others = otherAxes(getX(), axis);
  Expr x(builder, getX()), dy(builder, cotangents[0]), gamma(builder, getGamma());
  Expr average(builder, getMean()), variance(builder, getVariance());
  Expr size = countAlong(x, others);
  Expr centered = x - along(average, x, axis);
  Expr r = rsqrt(variance + getEpsilon().convertToDouble());
  Expr dbeta = sum(dy, others), dgamma = sum(dy * centered, others) * r;
  Expr inner = dy - along(dbeta / size, x, axis) - centered * along(r * dgamma / size, x, axis);
  Expr dx = along(gamma * r, x, axis) * inner;
  if (!isZeroLike(cotangents[1]))
    dx = dx + along(Expr(builder, cotangents[1]) / size, x, axis);
  if (!isZeroLike(cotangents[2]))
    dx = dx + centered * along(2 * Expr(builder, cotangents[2]) / size, x, axis);
  return SmallVector<Value>{sumToShapeOf(builder, dx.value(), getX()),
                            sumToShapeOf(builder, dgamma.value(), getGamma()),
                            sumToShapeOf(builder, dbeta.value(), getBeta())};
}

//===--- layer_norm ------------------------------------------------------------------------------

LogicalResult LayerNormOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                            Adaptor adaptor, SmallVectorImpl<Type> &types) {
  if (!llvm::is_sorted(adaptor.getAxes(), std::less_equal<int64_t>()) || adaptor.getAxes().empty())
    return emitOptionalError(location, "axes [", adaptor.getAxes(), "] do not increase");
  types.push_back(adaptor.getX().getType());
  return verifyParameters(location, adaptor.getX(), adaptor.getGamma(), adaptor.getBeta(),
                          adaptor.getAxes());
}

namespace {
/// x - mean, and 1 / sqrt(variance + epsilon), of each example.
struct Statistics {
  Expr centered, r;

  Statistics(Expr x, ArrayRef<int64_t> axes, double epsilon)
      : centered(x - mean(x, axes, /*keepdims=*/true)),
        r(rsqrt(mean(square(centered), axes, /*keepdims=*/true) + epsilon)) {}
};
} // namespace

MaybeValues LayerNormOp::decompose(ImplicitLocOpBuilder &builder) {
  Expr x(builder, getX()), gamma(builder, getGamma()), beta(builder, getBeta());
  Statistics of(x, getAxes(), getEpsilon().convertToDouble());
  Expr y = of.centered * of.r * along(gamma, x, getAxes()) + along(beta, x, getAxes());
  return SmallVector<Value>{conform(builder, y.value(), getType())};
}

// With c = x - mean, r = 1 / sqrt(variance + epsilon) and g = dy * gamma, means over the axes:
//   dx = r * (g - mean(g) - c * r^2 * mean(g * c)).
MaybeValues LayerNormOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  ArrayRef<int64_t> axes = getAxes();
  SmallVector<int64_t> others = otherAxes(getX(), axes);
  Expr x(builder, getX()), dy(builder, cotangents[0]);
  Statistics of(x, axes, getEpsilon().convertToDouble());
  Expr g = dy * along(Expr(builder, getGamma()), x, axes);
  Expr slope = square(of.r) * mean(g * of.centered, axes, true);
  Expr dx = of.r * (g - mean(g, axes, true) - of.centered * slope);
  Expr normalized = of.centered * of.r;
  return SmallVector<Value>{sumToShapeOf(builder, dx.value(), getX()),
                            sumToShapeOf(builder, sum(dy * normalized, others).value(), getGamma()),
                            sumToShapeOf(builder, sum(dy, others).value(), getBeta())};
}

} // namespace formwork
