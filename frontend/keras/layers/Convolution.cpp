// Convolutions over one, two and three dimensions: plain, depthwise and separable.
#include "frontend/keras/layers/Convolution.h"

#include "frontend/keras/Activations.h"
#include "frontend/keras/layers/Layers.h"

using namespace mlir;

namespace formwork::keras {

//===--- what all of them do ---------------------------------------------------------------------

SlidingWindow kernelWindow(LayerCall &call, size_t rank) {
  return {call.arguments.sizes("kernel_size", rank), call.arguments.sizes("strides", rank),
          call.arguments.sizes("dilation_rate", rank)};
}

static bool moreThanOne(ArrayRef<int64_t> values) {
  return llvm::any_of(values, [](int64_t value) { return value > 1; });
}

LogicalResult checkSteps(LayerCall &call, const SlidingWindow &window) {
  if (moreThanOne(window.strides) && moreThanOne(window.dilations))
    return call.fail("strides and dilation_rate cannot both be more than 1");
  return success();
}

FailureOr<int64_t> channelsOf(LayerCall &call, const Tensor &x) {
  int64_t channels = x.type().getShape().back();
  if (ShapedType::isDynamic(channels))
    return call.fail("the channels of its input must have a fixed size");
  return channels;
}

SmallVector<int64_t, 4> kernelShape(ArrayRef<int64_t> window, int64_t channels, int64_t filters) {
  SmallVector<int64_t, 4> shape(window);
  shape.push_back(channels);
  shape.push_back(filters);
  return shape;
}

static FailureOr<Tensor> convolve(LayerCall &call, const Tensor &x, Value kernel,
                                  const SlidingWindow &window, int64_t groups) {
  FailureOr<SmallVector<int64_t>> padding = paddingFor(call, x, window);
  if (failed(padding))
    return failure();
  Value y = ConvOp::create(call.builder, x.value, kernel, window.strides, *padding,
                           window.dilations, groups);
  Tensor result = overPositions(y, x, window, *padding);
  result.symbols.back() = fixedSize;
  return result;
}

FailureOr<Tensor> finishConvolution(LayerCall &call, Tensor y) {
  if (call.arguments.flag("use_bias")) {
    FailureOr<Value> bias = call.weight(
        {.name = "bias", .initializer = "bias_initializer", .shape = {y.type().getShape().back()}});
    if (failed(bias))
      return failure();
    y.value = AddOp::create(call.builder, y.value, *bias);
  }
  // Softmax is over the last axis of what the layer gives, which may not be the channels.
  y = inFormat(call, y);
  y.value = activate(call.builder, call.arguments["activation"], y.value);
  return y;
}

//===--- Conv1D, Conv2D, Conv3D ------------------------------------------------------------------

template <size_t rank>
static const Argument convolutionArguments[] = {
    {"filters", isPositiveInteger, ""},
    {"kernel_size", areSizes<rank>, ""},
    {"strides", areSizes<rank>, "1"},
    {"padding", rank == 1 ? isPaddingOrCausal : isPadding, "\"valid\""},
    {"data_format", isDataFormatOrNull, "null"},
    {"dilation_rate", areSizes<rank>, "1"},
    {"groups", isPositiveInteger, "1"},
    {"activation", isActivation, "null"},
    {"use_bias", isBoolean, "true"},
    {"kernel_initializer", isInitializer, "\"glorot_uniform\""},
    {"bias_initializer", isInitializer, "\"zeros\""},
    {"kernel_regularizer", ofWeight, "null"},
    {"bias_regularizer", ofWeight, "null"},
    {"kernel_constraint", ofWeight, "null"},
    {"bias_constraint", ofWeight, "null"},
    {"lora_rank", onlyDefault, "null"},
    {"lora_alpha", onlyDefault, "null"},
};

static LogicalResult checkConvolution(LayerCall &call, int64_t channels,
                                      const SlidingWindow &window) {
  int64_t groups = call.arguments.integer("groups");
  if (channels % groups != 0 || call.arguments.integer("filters") % groups != 0)
    return call.fail("its " + std::to_string(groups) + " groups must divide its " +
                     std::to_string(call.arguments.integer("filters")) +
                     " filters and its input's " + std::to_string(channels) + " channels");
  return checkSteps(call, window);
}

template <size_t rank> static FailureOr<Tensor> convolution(LayerCall &call) {
  FailureOr<Tensor> x = images(call, rank);
  if (failed(x))
    return failure();
  SlidingWindow window = kernelWindow(call, rank);
  FailureOr<int64_t> channels = channelsOf(call, *x);
  if (failed(channels) || failed(checkConvolution(call, *channels, window)))
    return failure();
  int64_t groups = call.arguments.integer("groups"), filters = call.arguments.integer("filters");
  FailureOr<Value> kernel =
      call.weight({.name = "kernel",
                   .initializer = "kernel_initializer",
                   .shape = kernelShape(window.size, *channels / groups, filters)});
  if (failed(kernel))
    return failure();
  FailureOr<Tensor> y = convolve(call, *x, *kernel, window, groups);
  if (failed(y))
    return failure();
  return finishConvolution(call, *y);
}

//===--- DepthwiseConv1D, DepthwiseConv2D --------------------------------------------------------

template <size_t rank>
static const Argument depthwiseArguments[] = {
    {"kernel_size", areSizes<rank>, ""},
    {"strides", areSizes<rank>, "1"},
    {"padding", isPadding, "\"valid\""},
    {"depth_multiplier", isPositiveInteger, "1"},
    {"data_format", isDataFormatOrNull, "null"},
    {"dilation_rate", areSizes<rank>, "1"},
    {"activation", isActivation, "null"},
    {"use_bias", isBoolean, "true"},
    {"depthwise_initializer", isInitializer, "\"glorot_uniform\""},
    {"bias_initializer", isInitializer, "\"zeros\""},
    {"depthwise_regularizer", ofWeight, "null"},
    {"bias_regularizer", ofWeight, "null"},
    {"depthwise_constraint", ofWeight, "null"},
    {"bias_constraint", ofWeight, "null"},
};

/// Convolves each channel with depth_multiplier filters of its own; `name` is the kernel's.
template <size_t rank>
static FailureOr<Tensor> convolveChannels(LayerCall &call, const Tensor &x, StringRef name) {
  SlidingWindow window = kernelWindow(call, rank);
  FailureOr<int64_t> channels = channelsOf(call, x);
  if (failed(channels))
    return failure();
  int64_t multiplier = call.arguments.integer("depth_multiplier");
  FailureOr<Value> kernel = call.weight({.name = name,
                                         .initializer = "depthwise_initializer",
                                         .shape = kernelShape(window.size, *channels, multiplier)});
  if (failed(kernel))
    return failure();
  // As groups of one channel: filters of the first channel come first.
  Value grouped =
      ReshapeOp::create(call.builder, *kernel, kernelShape(window.size, 1, *channels * multiplier));
  return convolve(call, x, grouped, window, *channels);
}

template <size_t rank> static FailureOr<Tensor> depthwiseConvolution(LayerCall &call) {
  FailureOr<Tensor> x = images(call, rank);
  if (failed(x))
    return failure();
  FailureOr<Tensor> y = convolveChannels<rank>(call, *x, "kernel");
  if (failed(y))
    return failure();
  return finishConvolution(call, *y);
}

//===--- SeparableConv1D, SeparableConv2D --------------------------------------------------------

template <size_t rank>
static const Argument separableArguments[] = {
    {"filters", isPositiveInteger, ""},
    {"kernel_size", areSizes<rank>, ""},
    {"strides", areSizes<rank>, "1"},
    {"padding", isPadding, "\"valid\""},
    {"data_format", isDataFormatOrNull, "null"},
    {"dilation_rate", areSizes<rank>, "1"},
    {"depth_multiplier", isPositiveInteger, "1"},
    {"activation", isActivation, "null"},
    {"use_bias", isBoolean, "true"},
    {"depthwise_initializer", isInitializer, "\"glorot_uniform\""},
    {"pointwise_initializer", isInitializer, "\"glorot_uniform\""},
    {"bias_initializer", isInitializer, "\"zeros\""},
    {"depthwise_regularizer", ofWeight, "null"},
    {"pointwise_regularizer", ofWeight, "null"},
    {"bias_regularizer", ofWeight, "null"},
    {"depthwise_constraint", ofWeight, "null"},
    {"pointwise_constraint", ofWeight, "null"},
    {"bias_constraint", ofWeight, "null"},
};

template <size_t rank> static FailureOr<Tensor> separableConvolution(LayerCall &call) {
  FailureOr<Tensor> x = images(call, rank);
  if (failed(x))
    return failure();
  FailureOr<Tensor> y = convolveChannels<rank>(call, *x, "depthwise_kernel");
  if (failed(y))
    return failure();
  std::vector<int64_t> ones(rank, 1);
  FailureOr<Value> pointwise = call.weight(
      {.name = "pointwise_kernel",
       .initializer = "pointwise_initializer",
       .shape = kernelShape(ones, y->type().getShape().back(), call.arguments.integer("filters"))});
  if (failed(pointwise))
    return failure();
  FailureOr<Tensor> mixed = convolve(call, *y, *pointwise, {ones, ones, ones}, 1);
  if (failed(mixed))
    return failure();
  return finishConvolution(call, *mixed);
}

void registerConvolutionLayers(Registration &layers) {
  layers.push_back({"Conv1D", ArgumentTable(convolutionArguments<1>), convolution<1>});
  layers.push_back({"Conv2D", ArgumentTable(convolutionArguments<2>), convolution<2>});
  layers.push_back({"Conv3D", ArgumentTable(convolutionArguments<3>), convolution<3>});
  layers.push_back(
      {"DepthwiseConv1D", ArgumentTable(depthwiseArguments<1>), depthwiseConvolution<1>});
  layers.push_back(
      {"DepthwiseConv2D", ArgumentTable(depthwiseArguments<2>), depthwiseConvolution<2>});
  layers.push_back(
      {"SeparableConv1D", ArgumentTable(separableArguments<1>), separableConvolution<1>});
  layers.push_back(
      {"SeparableConv2D", ArgumentTable(separableArguments<2>), separableConvolution<2>});
}

} // namespace formwork::keras
