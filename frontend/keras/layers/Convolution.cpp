// Conv2D, MaxPooling2D and GlobalAveragePooling2D. Inside they are channels_last: channels_first is
// a transpose on both sides.
#include "frontend/keras/Activations.h"
#include "frontend/keras/layers/Layers.h"

using namespace mlir;

namespace formwork::keras {

static const int64_t toLast[] = {0, 2, 3, 1}, toFirst[] = {0, 3, 1, 2};

static bool isChannelsFirst(LayerCall &call) {
  const std::string *format = call.arguments["data_format"].string();
  return format && *format == "channels_first";
}

/// The one input, an image, with its channels last.
static FailureOr<Tensor> image(LayerCall &call) {
  FailureOr<Tensor> x = call.singleFloat(4, 4);
  if (failed(x) || !isChannelsFirst(call))
    return x;
  return permute(call.builder, *x, toLast);
}

/// Back to the layer's format.
static Tensor likeInput(LayerCall &call, const Tensor &y) {
  return isChannelsFirst(call) ? permute(call.builder, y, toFirst) : y;
}

namespace {
/// A window that slides over rows and columns.
struct Window {
  std::array<int64_t, 2> size, strides, dilations = {1, 1};
};
} // namespace

/// top, bottom, left, right. "same" is TensorFlow's: of what is missing the larger half comes
/// after, and how much is missing depends on the size.
static FailureOr<SmallVector<int64_t>> paddingFor(LayerCall &call, const Tensor &x,
                                                  const Window &window) {
  bool same = call.arguments.text("padding") == "same";
  SmallVector<int64_t> padding;
  for (int i : {0, 1}) {
    int64_t size = x.size(i + 1), stride = window.strides[i];
    int64_t extent = (window.size[i] - 1) * window.dilations[i] + 1;
    int64_t missing = 0;
    if (same && ShapedType::isDynamic(size) && stride != 1)
      return call.fail("padding \"same\" with strides needs an input of fixed size");
    if (same)
      missing = stride == 1 ? extent - 1
                            : std::max<int64_t>((size - 1) / stride * stride + extent - size, 0);
    else if (!ShapedType::isDynamic(size) && size < extent)
      return call.fail("its input of shape " + shapeText(x.type().getShape()) +
                       " (channels last) is smaller than its window");
    padding.push_back(missing / 2);
    padding.push_back(missing - missing / 2);
  }
  return padding;
}

/// The symbols of what a window gives: sizes that change are derived ones.
static void setSymbols(Tensor &y, const Tensor &x, const Window &window,
                       ArrayRef<int64_t> padding) {
  y.symbols = x.symbols;
  y.symbols[3] = fixedSize;
  for (int i : {0, 1}) {
    int64_t extent = (window.size[i] - 1) * window.dilations[i] + 1;
    bool keeps = window.strides[i] == 1 && padding[2 * i] + padding[2 * i + 1] == extent - 1;
    if (ShapedType::isDynamic(x.size(i + 1)) && !keeps)
      y.symbols[i + 1] = derivedSize;
  }
}

//===--- Conv2D ----------------------------------------------------------------------------------

static const Argument convolutionArguments[] = {
    {"filters", isPositiveInteger, ""},
    {"kernel_size", isPair, ""},
    {"strides", isPair, "[1, 1]"},
    {"padding", isPadding, "\"valid\""},
    {"data_format", isDataFormatOrNull, "null"},
    {"dilation_rate", isPair, "[1, 1]"},
    {"groups", isPositiveInteger, "1"},
    {"activation", isActivation, "null"},
    {"use_bias", isBoolean, "true"},
    {"kernel_initializer", isInitializer, "\"glorot_uniform\""},
    {"bias_initializer", isInitializer, "\"zeros\""},
    {"kernel_regularizer", onlyDefault, "null"},
    {"bias_regularizer", onlyDefault, "null"},
    {"activity_regularizer", onlyDefault, "null"},
    {"kernel_constraint", onlyDefault, "null"},
    {"bias_constraint", onlyDefault, "null"},
    {"lora_rank", onlyDefault, "null"},
    {"lora_alpha", onlyDefault, "null"},
};

static LogicalResult checkConvolution(LayerCall &call, const Tensor &x, const Window &window) {
  int64_t channels = x.size(3), groups = call.arguments.integer("groups");
  if (ShapedType::isDynamic(channels))
    return call.fail("the channels of its input must have a fixed size");
  if (channels % groups != 0 || call.arguments.integer("filters") % groups != 0)
    return call.fail("its " + std::to_string(groups) + " groups must divide its " +
                     std::to_string(call.arguments.integer("filters")) +
                     " filters and its input's " + std::to_string(channels) + " channels");
  if (std::max(window.strides[0], window.strides[1]) > 1 &&
      std::max(window.dilations[0], window.dilations[1]) > 1)
    return call.fail("strides and dilation_rate cannot both be more than 1");
  return success();
}

static FailureOr<Tensor> convolution(LayerCall &call) {
  FailureOr<Tensor> x = image(call);
  if (failed(x))
    return failure();
  Window window{call.arguments.pair("kernel_size"), call.arguments.pair("strides"),
                call.arguments.pair("dilation_rate")};
  if (failed(checkConvolution(call, *x, window)))
    return failure();
  FailureOr<SmallVector<int64_t>> padding = paddingFor(call, *x, window);
  if (failed(padding))
    return failure();
  int64_t groups = call.arguments.integer("groups"), filters = call.arguments.integer("filters");
  FailureOr<Value> kernel =
      call.weight({.name = "kernel",
                   .initializer = "kernel_initializer",
                   .shape = {window.size[0], window.size[1], x->size(3) / groups, filters}});
  if (failed(kernel))
    return failure();
  Tensor y{Conv2dOp::create(call.builder, x->value, *kernel, window.strides, *padding,
                            window.dilations, groups),
           {}};
  setSymbols(y, *x, window, *padding);
  if (call.arguments.flag("use_bias")) {
    FailureOr<Value> bias =
        call.weight({.name = "bias", .initializer = "bias_initializer", .shape = {filters}});
    if (failed(bias))
      return failure();
    y.value = AddOp::create(call.builder, y.value, *bias);
  }
  // Softmax is over the last axis of what the layer gives, which may not be the channels.
  y = likeInput(call, y);
  y.value = activate(call.builder, call.arguments["activation"], y.value);
  return y;
}

//===--- pooling ---------------------------------------------------------------------------------

static const Argument maxPoolingArguments[] = {
    {"pool_size", isPair, "[2, 2]"},
    {"strides", isPairOrNull, "null"},
    {"padding", isPadding, "\"valid\""},
    {"data_format", isDataFormatOrNull, "null"},
};

static FailureOr<Tensor> maxPooling(LayerCall &call) {
  FailureOr<Tensor> x = image(call);
  if (failed(x))
    return failure();
  bool usual = call.arguments["strides"].isNull();
  Window window{call.arguments.pair("pool_size"),
                call.arguments.pair(usual ? "pool_size" : "strides")};
  FailureOr<SmallVector<int64_t>> padding = paddingFor(call, *x, window);
  if (failed(padding))
    return failure();
  Tensor y{MaxPool2dOp::create(call.builder, x->value, window.size, window.strides, *padding), {}};
  setSymbols(y, *x, window, *padding);
  y.symbols[3] = x->symbols[3];
  return likeInput(call, y);
}

static const Argument globalPoolingArguments[] = {
    {"data_format", isDataFormatOrNull, "null"},
    {"keepdims", isBoolean, "false"},
};

static FailureOr<Tensor> globalAveragePooling(LayerCall &call) {
  FailureOr<Tensor> x = call.singleFloat(4, 4);
  if (failed(x))
    return failure();
  bool first = isChannelsFirst(call), keep = call.arguments.flag("keepdims");
  SmallVector<int64_t> axes = first ? SmallVector<int64_t>{2, 3} : SmallVector<int64_t>{1, 2};
  Tensor y{ReduceMeanOp::create(call.builder, x->value, axes, keep), {}};
  int64_t channels = x->symbols[first ? 1 : 3];
  if (!keep)
    y.symbols = {x->symbols[0], channels};
  else if (first)
    y.symbols = {x->symbols[0], channels, fixedSize, fixedSize};
  else
    y.symbols = {x->symbols[0], fixedSize, fixedSize, channels};
  return y;
}

void registerConvolutionLayers(Registration &layers) {
  layers.push_back({"Conv2D", ArgumentTable(convolutionArguments), convolution});
  layers.push_back({"MaxPooling2D", ArgumentTable(maxPoolingArguments), maxPooling});
  layers.push_back(
      {"GlobalAveragePooling2D", ArgumentTable(globalPoolingArguments), globalAveragePooling});
}

} // namespace formwork::keras
