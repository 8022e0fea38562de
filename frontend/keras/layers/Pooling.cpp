// Maxima and averages of windows, and of whole images, over one, two and three dimensions.
#include "frontend/keras/layers/Layers.h"
#include "frontend/keras/layers/Windows.h"

using namespace mlir;

namespace formwork::keras {

template <size_t rank>
static const Argument poolingArguments[] = {
    {"pool_size", areSizes<rank>, "2"},
    {"strides", areSizesOrNull<rank>, "null"},
    {"padding", isPadding, "\"valid\""},
    {"data_format", isDataFormatOrNull, "null"},
};

template <size_t rank> static SlidingWindow poolingWindow(LayerCall &call) {
  bool usual = call.arguments["strides"].isNull();
  return {call.arguments.sizes("pool_size", rank),
          call.arguments.sizes(usual ? "pool_size" : "strides", rank),
          std::vector<int64_t>(rank, 1)};
}

using Reduce = Value(LayerCall &call, const Tensor &x, const SlidingWindow &window,
                     ArrayRef<int64_t> padding);

template <size_t rank, Reduce reduce> static FailureOr<Tensor> pooling(LayerCall &call) {
  FailureOr<Tensor> x = images(call, rank);
  if (failed(x))
    return failure();
  SlidingWindow window = poolingWindow<rank>(call);
  FailureOr<SmallVector<int64_t>> padding = paddingFor(call, *x, window);
  if (failed(padding))
    return failure();
  Value y = reduce(call, *x, window, *padding);
  return inFormat(call, overPositions(y, *x, window, *padding));
}

static Value maxima(LayerCall &call, const Tensor &x, const SlidingWindow &window,
                    ArrayRef<int64_t> padding) {
  return MaxPoolOp::create(call.builder, x.value, window.size, window.strides, padding);
}

//===--- averages --------------------------------------------------------------------------------

/// How many elements of a dimension of `size` elements each window covers.
static std::vector<double> covered(int64_t size, int64_t window, int64_t stride, int64_t before,
                                   int64_t after) {
  std::vector<double> counts;
  for (int64_t start = -before; start + window <= size + after; start += stride)
    counts.push_back(std::min(start + window, size) - std::max<int64_t>(start, 0));
  return counts;
}

/// As `covered`, for each element of y, whose dimension `axis` is one of x's that windows of stride
/// one slide over; the size of x's is known when the model runs.
static Expr coveredAlong(Expr x, Expr y, int64_t axis, int64_t window, int64_t before) {
  Type element = getElementTypeOrSelf(y.value().getType());
  Expr start = castTo(iotaLike(y, axis), element) - double(before);
  return min(start + double(window), countAlong(x, axis)) - max(start, 0);
}

/// `sums`, divided by how many elements their windows cover: padding does not count.
static Value divideByCounts(LayerCall &call, const Tensor &x, Value sums,
                            const SlidingWindow &window, ArrayRef<int64_t> padding) {
  Expr y(call.builder, sums), images(call.builder, x.value);
  double whole = 1;
  SmallVector<Expr> counts;
  for (size_t i = 0; i < window.rank(); ++i) {
    int64_t axis = i + 1, size = x.size(axis), before = padding[2 * i], after = padding[2 * i + 1];
    if (before == 0 && after == 0)
      whole *= window.size[i];
    else if (ShapedType::isDynamic(size))
      counts.push_back(coveredAlong(images, y, axis, window.size[i], before));
    else
      counts.push_back({call.builder, constantAlong(call.builder,
                                                    covered(size, window.size[i], window.strides[i],
                                                            before, after),
                                                    axis, x.rank(), x.element())});
  }
  Expr count = whole;
  for (Expr factor : counts)
    count = factor * count;
  return (y / count).value();
}

static Value averages(LayerCall &call, const Tensor &x, const SlidingWindow &window,
                      ArrayRef<int64_t> padding) {
  Value sums = PoolSumOp::create(call.builder, x.value, window.size, window.strides, padding);
  return divideByCounts(call, x, sums, window, padding);
}

//===--- whole images ----------------------------------------------------------------------------

static const Argument globalPoolingArguments[] = {
    {"data_format", isDataFormatOrNull, "null"},
    {"keepdims", isBoolean, "false"},
};

template <size_t rank, typename Reduction> static FailureOr<Tensor> globalPooling(LayerCall &call) {
  constexpr int64_t dimensions = rank + 2;
  FailureOr<Tensor> x = call.singleFloat(dimensions, dimensions);
  if (failed(x))
    return failure();
  int64_t channels = isChannelsFirst(call) ? 1 : dimensions - 1;
  bool keep = call.arguments.flag("keepdims");
  SmallVector<int64_t> axes;
  Tensor y;
  for (int64_t axis = 0; axis < dimensions; ++axis) {
    bool reduced = axis != 0 && axis != channels;
    if (reduced)
      axes.push_back(axis);
    if (!reduced || keep)
      y.symbols.push_back(reduced ? int64_t(fixedSize) : x->symbols[axis]);
  }
  y.value = Reduction::create(call.builder, x->value, axes, keep);
  return y;
}

static constexpr StringLiteral averageCallArguments[] = {"mask"};

/// Of sequences, the mean of those steps that the mask leaves.
static FailureOr<Tensor> averageOfSteps(LayerCall &call) {
  FailureOr<Tensor> x = call.singleFloat(3, 3);
  if (failed(x))
    return failure();
  FailureOr<Value> mask = call.mask(2);
  if (failed(mask))
    return failure();
  FailureOr<Tensor> y = globalPooling<1, ReduceMeanOp>(call);
  if (failed(y) || !*mask)
    return y;
  if (isChannelsFirst(call))
    return call.fail("its input has a mask, which is of steps only if the channels are last");
  bool keep = call.arguments.flag("keepdims");
  Expr value(call.builder, x->value);
  Expr counts = broadcastLike(Expr(call.builder, *mask), value, 2);
  Expr total = sum(select(counts, value, 0), 1, keep);
  y->value = (total / sum(castTo(counts, x->element()), 1, keep)).value();
  return y;
}

template <size_t rank>
static void registerPoolings(Registration &layers, std::array<StringRef, 4> names) {
  auto add = [&](StringRef name, ArrayRef<Argument> arguments, LayerBuilder build) {
    layers.push_back({name, ArgumentTable(arguments), build});
  };
  add(names[0], poolingArguments<rank>, pooling<rank, maxima>);
  add(names[1], poolingArguments<rank>, pooling<rank, averages>);
  add(names[2], globalPoolingArguments, globalPooling<rank, ReduceMaxOp>);
  if constexpr (rank == 1)
    layers.push_back({names[3], ArgumentTable(globalPoolingArguments), averageOfSteps,
                      MaskRule::drop, averageCallArguments});
  else
    add(names[3], globalPoolingArguments, globalPooling<rank, ReduceMeanOp>);
}

void registerPoolingLayers(Registration &layers) {
  registerPoolings<1>(
      layers, {"MaxPooling1D", "AveragePooling1D", "GlobalMaxPooling1D", "GlobalAveragePooling1D"});
  registerPoolings<2>(
      layers, {"MaxPooling2D", "AveragePooling2D", "GlobalMaxPooling2D", "GlobalAveragePooling2D"});
  registerPoolings<3>(
      layers, {"MaxPooling3D", "AveragePooling3D", "GlobalMaxPooling3D", "GlobalAveragePooling3D"});
}

} // namespace formwork::keras
