// Dropout, SpatialDropout1D to 3D, AlphaDropout, GaussianDropout, GaussianNoise: the identity but
// in training; ActivityRegularization, which is it in training too.
//
// A layer's numbers are a function of the training's seed, of the step, and of a stream that each
// layer has of its own; `seed` has no part in it. Refuses integers, and a noise_shape of another
// rank than the input.
#include "frontend/keras/layers/Layers.h"

using namespace mlir;

namespace formwork::keras {

//===--- checks ----------------------------------------------------------------------------------

static std::string isFraction(const Json &value) {
  return value.real() && *value.real() >= 0 && *value.real() <= 1 ? "" : "must be from 0 to 1";
}

static std::string isNoiseShape(const Json &value) {
  const Json::Array *sizes = value.array();
  auto isSize = [](const Json &size) { return size.isNull() || isPositiveInteger(size).empty(); };
  bool good = value.isNull() || (sizes && sizes->size() < 32 && llvm::all_of(*sizes, isSize));
  return good ? "" : "must be null or a list of positive sizes or null";
}

//===--- drawing ---------------------------------------------------------------------------------

using Axes = SmallVector<int64_t>;

/// The axes along which `noise_shape` has one number for all elements.
static FailureOr<Axes> sharedAxes(LayerCall &call, const Tensor &x) {
  const Json::Array *sizes = call.arguments["noise_shape"].array();
  if (!sizes)
    return Axes();
  auto fail = [&](const std::string &why) {
    return call.fail("argument 'noise_shape' " + why + "; its input has shape " +
                     shapeText(x.type().getShape()));
  };
  if (int64_t(sizes->size()) != x.rank())
    return fail("must have a size for each dimension of the input");
  Axes axes;
  for (auto [axis, size] : llvm::enumerate(*sizes)) {
    if (size.isNull() || size.integer() == x.size(axis))
      continue;
    if (size.integer() != 1)
      return fail("must be 1 or null where it is not the input's size");
    axes.push_back(int64_t(axis));
  }
  return axes;
}

/// The input, to which `change` is done in training if there is any noise.
static FailureOr<Tensor> inTraining(LayerCall &call, double noise,
                                    llvm::function_ref<FailureOr<Tensor>(Tensor)> change) {
  if (!call.training || noise == 0)
    return call.single(1);
  FailureOr<Tensor> x = call.singleFloat(1);
  if (failed(x))
    return failure();
  return change(*x);
}

template <typename Op> static Expr draw(LayerCall &call, Value like) {
  return {call.builder, Op::create(call.builder, call.rng(), like, call.nextStream())};
}

/// Where x survives: of probability 1 - rate, decided once for all elements along `shared`.
static Expr survives(LayerCall &call, const Tensor &x, double rate, ArrayRef<int64_t> shared) {
  Axes start(x.rank(), 0), strides(x.rank(), 1), limit;
  for (int64_t size : x.type().getShape()) // -1: to the end
    limit.push_back(ShapedType::isDynamic(size) ? -1 : size);
  for (int64_t axis : shared)
    limit[axis] = 1;
  Value like =
      shared.empty() ? x.value : SliceOp::create(call.builder, x.value, start, limit, strides);
  return draw<RandomUniformOp>(call, like) >= rate;
}

//===--- Dropout ---------------------------------------------------------------------------------

static const Argument dropoutArguments[] = {
    {"rate", isFraction, ""},
    {"seed", anything, "null"},
    {"noise_shape", isNoiseShape, "null"},
};

static FailureOr<Tensor> dropAlong(LayerCall &call, Tensor x, ArrayRef<int64_t> shared) {
  double rate = call.arguments.number("rate");
  if (shared.empty() || rate == 1) {
    x.value = drop(call, x.value, rate);
    return x;
  }
  Expr value(call.builder, x.value);
  x.value = select(survives(call, x, rate, shared), value * (1 / (1 - rate)), 0).value();
  return x;
}

static FailureOr<Tensor> dropout(LayerCall &call) {
  return inTraining(call, call.arguments.number("rate"), [&](Tensor x) -> FailureOr<Tensor> {
    FailureOr<Axes> shared = sharedAxes(call, x);
    if (failed(shared))
      return failure();
    return dropAlong(call, x, *shared);
  });
}

static const Argument spatial1dArguments[] = {
    {"rate", isFraction, ""},
    {"seed", anything, "null"},
};

static const Argument spatialArguments[] = {
    {"rate", isFraction, ""},
    {"seed", anything, "null"},
    {"data_format", isDataFormatOrNull, "null"},
};

/// Drops whole channels.
template <int64_t dimensions> static FailureOr<Tensor> spatialDropout(LayerCall &call) {
  FailureOr<Tensor> x = call.single(dimensions + 2, dimensions + 2);
  if (failed(x) || !call.training || call.arguments.number("rate") == 0)
    return x;
  if (failed(call.singleFloat(dimensions + 2)))
    return failure();
  bool channelsFirst = dimensions > 1 && call.arguments["data_format"].string() &&
                       call.arguments.text("data_format") == "channels_first";
  int64_t first = channelsFirst ? 2 : 1;
  return dropAlong(call, *x, llvm::to_vector(llvm::seq<int64_t>(first, first + dimensions)));
}

//===--- AlphaDropout ----------------------------------------------------------------------------

static const Argument alphaDropoutArguments[] = {
    {"rate", isRate, ""},
    {"seed", anything, "null"},
    {"noise_shape", isNoiseShape, "null"},
};

/// Drops to selu's limit at minus infinity, then restores mean 0 and variance 1 (Klambauer et al.,
/// NeurIPS 2017).
static FailureOr<Tensor> alphaDropout(LayerCall &call) {
  double rate = call.arguments.number("rate");
  return inTraining(call, rate, [&](Tensor x) -> FailureOr<Tensor> {
    FailureOr<Axes> shared = sharedAxes(call, x);
    if (failed(shared))
      return failure();
    constexpr double limit = -1.6732632423543772 * 1.0507009873554805;
    double scale = 1 / std::sqrt((1 - rate) * (1 + rate * limit * limit));
    Expr value(call.builder, x.value);
    Expr dropped = select(survives(call, x, rate, *shared), value, limit);
    x.value = (scale * dropped - scale * limit * rate).value();
    return x;
  });
}

//===--- Gaussian --------------------------------------------------------------------------------

static const Argument gaussianDropoutArguments[] = {
    {"rate", isRate, ""},
    {"seed", anything, "null"},
};
static const Argument gaussianNoiseArguments[] = {
    {"stddev", isFraction, ""},
    {"seed", anything, "null"},
};

static FailureOr<Tensor> gaussianDropout(LayerCall &call) {
  double rate = call.arguments.number("rate");
  return inTraining(call, rate, [&](Tensor x) -> FailureOr<Tensor> {
    Expr noise = 1 + std::sqrt(rate / (1 - rate)) * draw<RandomNormalOp>(call, x.value);
    x.value = (Expr(call.builder, x.value) * noise).value();
    return x;
  });
}

static FailureOr<Tensor> gaussianNoise(LayerCall &call) {
  double deviation = call.arguments.number("stddev");
  return inTraining(call, deviation, [&](Tensor x) -> FailureOr<Tensor> {
    Expr noise = deviation * draw<RandomNormalOp>(call, x.value);
    x.value = (Expr(call.builder, x.value) + noise).value();
    return x;
  });
}

//===--- penalties -------------------------------------------------------------------------------

static const Argument activityArguments[] = {
    {"l1", isNumber, "0.0"},
    {"l2", isNumber, "0.0"},
};

static FailureOr<Tensor> activityRegularization(LayerCall &call) {
  FailureOr<Tensor> x = call.singleFloat(0);
  if (failed(x))
    return failure();
  auto factor = [&](const char *name) {
    return call.builder.getNamedAttr(name,
                                     call.builder.getF64FloatAttr(call.arguments.number(name)));
  };
  auto config = call.builder.getDictionaryAttr({factor("l1"), factor("l2")});
  auto regularizer = call.builder.getDictionaryAttr(
      {call.builder.getNamedAttr("class_name", call.builder.getStringAttr("L1L2")),
       call.builder.getNamedAttr("config", config)});
  call.penalize(x->value, regularizer);
  return x;
}

void registerNoiseLayers(Registration &layers) {
  auto add = [&](StringRef name, ArrayRef<Argument> arguments, LayerBuilder build) {
    layers.push_back({name, ArgumentTable(arguments), build, MaskRule::pass});
  };
  add("Dropout", dropoutArguments, dropout);
  add("SpatialDropout1D", spatial1dArguments, spatialDropout<1>);
  add("SpatialDropout2D", spatialArguments, spatialDropout<2>);
  add("SpatialDropout3D", spatialArguments, spatialDropout<3>);
  add("AlphaDropout", alphaDropoutArguments, alphaDropout);
  add("GaussianDropout", gaussianDropoutArguments, gaussianDropout);
  add("GaussianNoise", gaussianNoiseArguments, gaussianNoise);
  add("ActivityRegularization", activityArguments, activityRegularization);
}

} // namespace formwork::keras
