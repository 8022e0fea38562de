// Transposed convolutions over one, two and three dimensions: the gradient of a convolution with
// respect to its images, as a layer of its own.
//
// Refuses strides together with dilations, and an output_padding for which there is no convolution
// that would lead back.
#include "frontend/keras/layers/Convolution.h"
#include "frontend/keras/layers/Layers.h"

using namespace mlir;

namespace formwork::keras {

template <size_t rank>
static const Argument transposedArguments[] = {
    {"filters", isPositiveInteger, ""},
    {"kernel_size", areSizes<rank>, ""},
    {"strides", areSizes<rank>, "1"},
    {"padding", isPadding, "\"valid\""},
    {"output_padding", areMarginsOrNull<rank>, "null"},
    {"data_format", isDataFormatOrNull, "null"},
    {"dilation_rate", areSizes<rank>, "1"},
    {"groups", onlyDefault, "1"}, // of older files
    {"activation", isActivation, "null"},
    {"use_bias", isBoolean, "true"},
    {"kernel_initializer", isInitializer, "\"glorot_uniform\""},
    {"bias_initializer", isInitializer, "\"zeros\""},
    {"kernel_regularizer", ofWeight, "null"},
    {"bias_regularizer", ofWeight, "null"},
    {"kernel_constraint", ofWeight, "null"},
    {"bias_constraint", ofWeight, "null"},
};

namespace {
/// One dimension of the images that the convolution would lead back from.
struct Extent {
  /// Beyond one element for each stride between those of the input: the output has
  /// (input - 1) * stride + rest elements.
  int64_t rest;
  /// The convolution's padding.
  int64_t before = 0, after = 0;
};
} // namespace

/// As TensorFlow has it (keras/src/backend/common/backend_utils.py,
/// compute_conv_transpose_output_shape); nothing if no convolution leads from such images to the
/// input.
static std::optional<Extent> extentOf(StringRef padding, int64_t window, int64_t stride,
                                      std::optional<int64_t> outputPadding) {
  Extent extent;
  if (padding == "valid") {
    extent.rest = outputPadding ? window + *outputPadding : std::max(window, stride);
    return outputPadding.value_or(0) < stride ? std::optional(extent) : std::nullopt;
  }
  extent.rest = outputPadding ? window % 2 + *outputPadding : stride;
  int64_t missing = std::max<int64_t>(window - extent.rest, 0);
  extent.before = missing / 2;
  extent.after = missing - extent.before;
  return extent.rest >= 1 && extent.rest <= stride ? std::optional(extent) : std::nullopt;
}

/// A tensor of the shape of the images; only that is used of it.
static Value likeImages(LayerCall &call, const Tensor &x, ArrayRef<Extent> extents,
                        ArrayRef<int64_t> strides, int64_t filters) {
  SmallVector<int64_t> start(x.rank(), 0), limit(x.rank(), -1), ones(x.rank(), 1);
  limit.back() = 1;
  Value one = SliceOp::create(call.builder, x.value, start, limit, ones);
  SmallVector<int64_t> high(x.rank(), 0), between(x.rank(), 0);
  for (auto [i, extent] : llvm::enumerate(extents)) {
    between[i + 1] = strides[i] - 1;
    high[i + 1] = extent.rest - 1;
  }
  high.back() = filters - 1;
  return PadOp::create(call.builder, one, Value(), start, high, between, APFloat(0.0));
}

static LogicalResult readExtents(LayerCall &call, const SlidingWindow &window,
                                 SmallVectorImpl<Extent> &extents) {
  std::vector<int64_t> given;
  if (!call.arguments["output_padding"].isNull())
    given = call.arguments.sizes("output_padding", window.rank());
  for (size_t i = 0; i < window.rank(); ++i) {
    auto extent = extentOf(call.arguments.text("padding"), window.extent(i), window.strides[i],
                           given.empty() ? std::nullopt : std::optional(given[i]));
    if (!extent)
      return call.fail("argument 'output_padding' does not fit its kernel_size and strides: no "
                       "convolution leads back");
    extents.push_back(*extent);
  }
  return success();
}

template <size_t rank> static FailureOr<Tensor> transposedConvolution(LayerCall &call) {
  FailureOr<Tensor> x = images(call, rank);
  if (failed(x))
    return failure();
  SlidingWindow window = kernelWindow(call, rank);
  FailureOr<int64_t> channels = channelsOf(call, *x);
  SmallVector<Extent> extents;
  if (failed(channels) || failed(readExtents(call, window, extents)) ||
      failed(checkSteps(call, window)))
    return failure();
  int64_t filters = call.arguments.integer("filters");
  FailureOr<Value> kernel = call.weight({.name = "kernel",
                                         .initializer = "kernel_initializer",
                                         .shape = kernelShape(window.size, filters, *channels)});
  if (failed(kernel))
    return failure();
  SmallVector<int64_t> padding;
  for (const Extent &extent : extents)
    padding.append({extent.before, extent.after});
  Value like = likeImages(call, *x, extents, window.strides, filters);
  constexpr int64_t groups = 1;
  Tensor y{ConvInputGradOp::create(call.builder, x->value, *kernel, like, window.strides, padding,
                                   window.dilations, groups),
           x->symbols};
  for (size_t i = 0; i < rank; ++i)
    if (ShapedType::isDynamic(x->size(i + 1)) && (window.strides[i] > 1 || extents[i].rest > 1))
      y.symbols[i + 1] = derivedSize;
  y.symbols.back() = fixedSize;
  return finishConvolution(call, y);
}

void registerTransposedConvolutionLayers(Registration &layers) {
  layers.push_back(
      {"Conv1DTranspose", ArgumentTable(transposedArguments<1>), transposedConvolution<1>});
  layers.push_back(
      {"Conv2DTranspose", ArgumentTable(transposedArguments<2>), transposedConvolution<2>});
  layers.push_back(
      {"Conv3DTranspose", ArgumentTable(transposedArguments<3>), transposedConvolution<3>});
}

} // namespace formwork::keras
