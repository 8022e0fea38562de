// What each activation function is made of.
//
// Gradients at kinks are TensorFlow's, which follow from how a formula is written: `min` and `max`
// give a tie to their first operand, `select` to the branch taken, relu's slope at 0 is 0. A branch
// that is not taken must stay finite, since its cotangent is 0 and 0 times infinity is not: hence
// expm1(min(x, 0)).
#include "frontend/keras/ActivationFunctions.h"

#include "ir/Dialect.h"

using namespace mlir;

namespace formwork::keras {

template <typename Op> static Expr apply(Expr x) {
  return {x.build(), Op::create(x.build(), x.value())};
}
static Expr relu(Expr x) { return apply<ReluOp>(x); }
static Expr softplus(Expr x) { return apply<SoftplusOp>(x); }
static Expr identity(Expr x) { return x; }

static int64_t lastAxis(Expr x) {
  return cast<RankedTensorType>(x.value().getType()).getRank() - 1;
}

//===--- piecewise linear ------------------------------------------------------------------------

/// Flat at 6 already.
static Expr relu6(Expr x) { return min(Expr(6), relu(x)); }

Expr leakyRelu(Expr x, double negativeSlope) { return select(x > 0, x, negativeSlope * x); }

static Expr defaultLeakyRelu(Expr x) { return leakyRelu(x, 0.2); }

Expr relu(Expr x, double negativeSlope, std::optional<double> maxValue, double threshold) {
  if (negativeSlope != 0 && !maxValue && threshold == 0)
    return leakyRelu(x, negativeSlope);
  bool isSix = threshold == 0 && maxValue == 6;
  Expr y = threshold != 0 ? select(x > threshold, x, 0) : isSix ? relu6(x) : relu(x);
  if (maxValue && !isSix)
    y = max(min(y, *maxValue), 0);
  if (negativeSlope == 0)
    return y;
  return y - negativeSlope * relu(threshold != 0 ? threshold - x : -x);
}

static Expr hardSigmoid(Expr x) { return relu6(x + 3) / 6; }
static Expr hardSilu(Expr x) { return x * hardSigmoid(x); }
static Expr hardTanh(Expr x) { return max(min(x, 1), -1); }
static Expr hardShrink(Expr x) { return select(abs(x) > 0.5, x, 0); }

static Expr softShrink(Expr x) { return select(x > 0.5, x - 0.5, select(x < -0.5, x + 0.5, 0)); }

static Expr sparseSigmoid(Expr x) { return select(x <= -1, 0, select(x >= 1, 1, 0.5 * (x + 1))); }

//===--- smooth ----------------------------------------------------------------------------------

Expr elu(Expr x, double alpha) {
  Expr negative = expm1(min(x, 0));
  return select(x > 0, x, alpha == 1 ? negative : alpha * negative);
}

static Expr defaultElu(Expr x) { return elu(x, 1); }

/// At 0 the slope is the upper side's.
static Expr selu(Expr x) {
  constexpr double scale = 1.0507009873554804935, alpha = 1.6732632423543772848;
  return select(x >= 0, scale * x, scale * alpha * expm1(min(x, 0)));
}

/// At 0 both halves have their slope: 2.
static Expr celu(Expr x) { return max(x, 0) + expm1(min(x, 0)); }

static Expr softsign(Expr x) { return x / (1 + abs(x)); }
static Expr logSigmoid(Expr x) { return -softplus(-x); }
static Expr silu(Expr x) { return x * sigmoid(x); }
static Expr mish(Expr x) { return x * tanh(softplus(x)); }
static Expr tanhShrink(Expr x) { return x - tanh(x); }
static Expr squareplus(Expr x) { return (x + sqrt(square(x) + 4)) / 2; }

static Expr sparsePlus(Expr x) {
  return select(x <= -1, 0, select(x < 1, 0.25 * square(x + 1), x));
}

//===--- over axes -------------------------------------------------------------------------------

// The largest element's share of the gradient cancels, whatever the others are.
Expr softmax(Expr x, ArrayRef<int64_t> axes) {
  if (axes == ArrayRef(lastAxis(x)))
    return formwork::softmax(x);
  Expr y = exp(x - maxOver(x, axes, /*keepdims=*/true));
  return y / sum(y, axes, /*keepdims=*/true);
}

static Expr glu(Expr x) {
  auto type = cast<RankedTensorType>(x.value().getType());
  int64_t last = lastAxis(x), half = type.getDimSize(last) / 2;
  SmallVector<int64_t> start(type.getRank(), 0), strides(type.getRank(), 1), limit;
  for (int64_t size : type.getShape()) // -1: to the end
    limit.push_back(ShapedType::isDynamic(size) ? -1 : size);
  auto slice = [&](int64_t from, int64_t to) -> Expr {
    start[last] = from, limit[last] = to;
    return {x.build(), SliceOp::create(x.build(), x.value(), start, limit, strides)};
  };
  return slice(0, half) * sigmoid(slice(half, 2 * half));
}

/// The element type, which sums of conditions are counted in.
static Type elementOf(Expr x) { return getElementTypeOrSelf(x.value().getType()); }

/// Keras sorts; here each element asks which others come before it in descending order (of equal
/// ones the earlier), with the asking element along axis `last` and the asked along a new one.
///
/// An element is in the support if k z > (sum of the k first) - 1. Keras's threshold sums these
/// partial sums over the support, where Martins & Astudillo (ICML 2016) take the last of them: the
/// two agree only where the support is one element. Keras's is what a model was trained with.
static Expr sparsemax(Expr z) {
  int64_t last = lastAxis(z), other = last + 1;
  int64_t size = cast<RankedTensorType>(z.value().getType()).getDimSize(last);
  Expr index = iotaLike(z, last);
  Expr pairs(z.build(), OneHotOp::create(z.build(), index.value(), size, elementOf(z)));
  Expr asking = broadcastLike(z, pairs, other), asked = broadcastLike(z, pairs, last);
  Expr before =
      asked > asking || (equal(asked, asking) && iotaLike(pairs, other) <= iotaLike(pairs, last));
  Expr partial = sum(select(before, asked, 0), other);
  Expr rank = sum(castTo(before, elementOf(z)), other);
  Expr support = z - (partial - 1) / rank > 0;
  Expr count = sum(castTo(support, elementOf(z)), last, /*keepdims=*/true);
  Expr threshold = (sum(select(support, partial, 0), last, /*keepdims=*/true) - 1) / count;
  return max(z - threshold, 0);
}

//===--- the tables ------------------------------------------------------------------------------

namespace {
struct Row {
  StringLiteral name;
  ActivationFunction function;
};
} // namespace

static constexpr Row table[] = {
    {"linear", identity},
    {"relu", relu},
    {"tanh", tanh},
    {"sigmoid", sigmoid},
    {"softmax", formwork::softmax}, // over the last axis, as activations.softmax
    {"gelu", apply<GeluOp>},        // exact: activations.gelu(x, approximate=False)
    {"celu", celu},
    {"elu", defaultElu},
    {"exponential", exp},
    {"hard_shrink", hardShrink},
    {"hard_sigmoid", hardSigmoid},
    {"hard_silu", hardSilu},
    {"hard_swish", hardSilu},
    {"hard_tanh", hardTanh},
    {"leaky_relu", defaultLeakyRelu},
    {"log_sigmoid", logSigmoid},
    {"log_softmax", logSoftmax},
    {"mish", mish},
    {"relu6", relu6},
    {"selu", selu},
    {"silu", silu},
    {"swish", silu},
    {"soft_shrink", softShrink},
    {"softplus", softplus},
    {"softsign", softsign},
    {"sparse_plus", sparsePlus},
    {"sparse_sigmoid", sparseSigmoid},
    {"squareplus", squareplus},
    {"tanh_shrink", tanhShrink},
};
static constexpr Row axisTable[] = {{"glu", glu}, {"sparsemax", sparsemax}};

static ActivationFunction functionIn(ArrayRef<Row> rows, StringRef name) {
  for (const Row &row : rows)
    if (row.name == name)
      return row.function;
  return nullptr;
}

ActivationFunction lookUpActivation(StringRef name) { return functionIn(table, name); }
ActivationFunction lookUpAxisActivation(StringRef name) { return functionIn(axisTable, name); }

std::vector<StringRef> activationNames() {
  std::vector<StringRef> names;
  for (ArrayRef<Row> rows : {ArrayRef(table), ArrayRef(axisTable)})
    for (const Row &row : rows)
      names.push_back(row.name);
  return names;
}

} // namespace formwork::keras
