// Rescaling and Normalization: what prepares data inside a model. Normalization's statistics come
// from the file; adapting them is Keras's work.
#include "frontend/keras/layers/Layers.h"

using namespace mlir;

namespace formwork::keras {

//===--- Rescaling -------------------------------------------------------------------------------

static const Argument rescalingArguments[] = {
    {"scale", isNumbers, ""},
    {"offset", isNumbers, "0.0"},
};

/// Whether NumPy's broadcasting of `small` to `large` leaves its shape.
static bool broadcastsTo(ArrayRef<int64_t> small, ArrayRef<int64_t> large) {
  if (small.size() > large.size())
    return false;
  for (auto [a, b] : llvm::zip(llvm::reverse(small), llvm::reverse(large)))
    if (a != 1 && a != b)
      return false;
  return true;
}

static FailureOr<Tensor> rescaling(LayerCall &call) {
  FailureOr<Tensor> x = call.singleNumeric(1);
  if (failed(x))
    return failure();
  Expr factors[] = {{call.builder, numbers(call, "scale")},
                    {call.builder, numbers(call, "offset")}};
  for (auto [name, factor] : llvm::zip(ArrayRef<StringRef>{"scale", "offset"}, factors)) {
    auto shape = cast<RankedTensorType>(factor.value().getType()).getShape();
    if (!broadcastsTo(shape, x->type().getShape()))
      return call.fail("argument '" + name.str() + "' has shape " + shapeText(shape) +
                       ", which does not fit the last dimensions of its input, " +
                       shapeText(x->type().getShape()));
  }
  x->value = (Expr(call.builder, x->value) * factors[0] + factors[1]).value();
  return x;
}

//===--- Normalization ---------------------------------------------------------------------------

static std::string isNumbersOrNull(const Json &value) {
  return value.isNull() ? "" : isNumbers(value);
}

static std::string isAxesOrNone(const Json &value) {
  bool none = value.isNull() || (value.array() && value.array()->empty());
  return none ? "" : isAxisOrAxes(value);
}

static const Argument normalizationArguments[] = {
    {"axis", isAxesOrNone, "-1"},
    {"mean", isNumbersOrNull, "null"},
    {"variance", isNumbersOrNull, "null"},
    {"invert", isBoolean, "false"},
};

/// The axes with statistics of their own, from the front, increasing.
static FailureOr<SmallVector<int64_t>> keptAxes(LayerCall &call, const Tensor &x) {
  if (call.arguments["axis"].isNull())
    return SmallVector<int64_t>();
  FailureOr<SmallVector<int64_t>> axes = axesOf(call, x, "its argument 'axis' names");
  if (failed(axes) || failed(haveFixedSizes(call, x, *axes)))
    return failure();
  return axes;
}

namespace {
struct Moments {
  Value mean, variance; // broadcast with the input
};
} // namespace

/// Statistics that the layer was made with: of the last kept axes, or numbers.
static FailureOr<Moments> givenMoments(LayerCall &call, const Tensor &x, ArrayRef<int64_t> axes) {
  SmallVector<Value> values;
  for (StringRef name : {"mean", "variance"}) {
    Value value = numbers(call, name);
    auto given = cast<RankedTensorType>(value.getType()).getShape();
    SmallVector<int64_t> shape(x.rank(), 1);
    bool fits = given.size() <= axes.size();
    for (size_t i = 1; fits && i <= given.size(); ++i) {
      shape[axes[axes.size() - i]] = given[given.size() - i];
      fits =
          llvm::is_contained({int64_t(1), x.size(axes[axes.size() - i])}, given[given.size() - i]);
    }
    if (!fits)
      return call.fail("argument '" + name.str() + "' has shape " + shapeText(given) +
                       ", which does not fit axes that `axis` names");
    values.push_back(given.empty() ? value : ReshapeOp::create(call.builder, value, shape));
  }
  return Moments{values[0], values[1]};
}

/// Statistics that Keras adapted; `count`, which nothing reads, is a variable of the layer as well.
static FailureOr<Moments> storedMoments(LayerCall &call, const Tensor &x, ArrayRef<int64_t> axes) {
  SmallVector<int64_t, 4> kept;
  SmallVector<int64_t> shape(x.rank(), 1);
  for (int64_t axis : axes)
    kept.push_back(shape[axis] = x.size(axis));
  auto read = [&](StringRef name, StringRef initializer) -> FailureOr<Value> {
    FailureOr<Value> value =
        call.weight({.name = name,
                     .initializer = "",
                     .shape = kept,
                     .trainable = false,
                     .special = plainInitializer(*call.builder.getContext(), initializer)});
    if (failed(value))
      return failure();
    return Value(ReshapeOp::create(call.builder, *value, shape));
  };
  FailureOr<Value> mean = read("mean", "Zeros"), variance = read("variance", "Ones");
  FailureOr<Value> count =
      call.weight({.name = "count",
                   .initializer = "",
                   .shape = {},
                   .trainable = false,
                   .special = plainInitializer(*call.builder.getContext(), "Zeros"),
                   .element = call.builder.getI64Type()});
  if (failed(mean) || failed(variance) || failed(count))
    return failure();
  return Moments{*mean, *variance};
}

static FailureOr<Tensor> normalization(LayerCall &call) {
  FailureOr<Tensor> x = call.singleNumeric(1);
  if (failed(x))
    return failure();
  bool given = !call.arguments["mean"].isNull();
  if (given == call.arguments["variance"].isNull())
    return call.fail("arguments 'mean' and 'variance' must be given together");
  FailureOr<SmallVector<int64_t>> axes = keptAxes(call, *x);
  if (failed(axes))
    return failure();
  FailureOr<Moments> moments =
      given ? givenMoments(call, *x, *axes) : storedMoments(call, *x, *axes);
  if (failed(moments))
    return failure();
  constexpr double epsilon = 1e-7; // keras.config.epsilon()
  Expr value(call.builder, x->value), mean(call.builder, moments->mean);
  Expr deviation = max(sqrt(Expr(call.builder, moments->variance)), epsilon);
  bool invert = call.arguments.flag("invert");
  x->value = (invert ? mean + value * deviation : (value - mean) / deviation).value();
  return x;
}

void registerPreprocessingLayers(Registration &layers) {
  layers.push_back({"Rescaling", ArgumentTable(rescalingArguments), rescaling, MaskRule::pass});
  layers.push_back(
      {"Normalization", ArgumentTable(normalizationArguments), normalization, MaskRule::pass});
}

} // namespace formwork::keras
