// ZeroPadding, Cropping and UpSampling over one, two and three dimensions. Of the interpolations
// there are nearest and bilinear.
#include "frontend/keras/layers/Layers.h"
#include "frontend/keras/layers/Windows.h"

using namespace mlir;

namespace formwork::keras {

/// Sizes that change are derived ones where a layer changes them.
static Tensor resized(Value value, const Tensor &x, ArrayRef<bool> changes) {
  Tensor y{value, x.symbols};
  for (auto [axis, change] : llvm::enumerate(changes))
    if (change && ShapedType::isDynamic(y.size(axis)))
      y.symbols[axis] = derivedSize;
  return y;
}

//===--- ZeroPadding -----------------------------------------------------------------------------

template <size_t rank>
static const Argument paddingArguments[] = {
    {"padding", areMargins<rank>, "1"},
    {"data_format", isDataFormatOrNull, "null"},
};

/// Before and after each dimension of the input, of which the spatial ones have these margins.
static std::pair<SmallVector<int64_t>, SmallVector<int64_t>>
perDimension(const Tensor &x, int64_t firstSpatial, ArrayRef<int64_t> margins) {
  SmallVector<int64_t> low(x.rank(), 0), high(x.rank(), 0);
  for (size_t i = 0; i < margins.size() / 2; ++i) {
    low[firstSpatial + i] = margins[2 * i];
    high[firstSpatial + i] = margins[2 * i + 1];
  }
  return {low, high};
}

static SmallVector<bool> whereNotZero(ArrayRef<int64_t> low, ArrayRef<int64_t> high) {
  SmallVector<bool> changes;
  for (auto [before, after] : llvm::zip_equal(low, high))
    changes.push_back(before != 0 || after != 0);
  return changes;
}

template <size_t rank> static FailureOr<Tensor> zeroPadding(LayerCall &call) {
  FailureOr<Tensor> x = call.single(rank + 2, rank + 2);
  if (failed(x))
    return failure();
  auto [low, high] =
      perDimension(*x, isChannelsFirst(call) ? 2 : 1, call.arguments.margins("padding", rank));
  SmallVector<int64_t> interior(x->rank(), 0);
  Value y = PadOp::create(call.builder, x->value, Value(), low, high, interior, APFloat(0.0));
  return resized(y, *x, whereNotZero(low, high));
}

//===--- Cropping --------------------------------------------------------------------------------

static const Argument cropping1DArguments[] = {{"cropping", areMargins<1>, "1"}};

template <size_t rank>
static const Argument croppingArguments[] = {
    {"cropping", areMargins<rank>, rank == 2 ? llvm::StringLiteral("0") : llvm::StringLiteral("1")},
    {"data_format", isDataFormatOrNull, "null"},
};

template <size_t rank> static FailureOr<Tensor> cropping(LayerCall &call) {
  FailureOr<Tensor> x = call.single(rank + 2, rank + 2);
  if (failed(x))
    return failure();
  bool first = rank > 1 && isChannelsFirst(call);
  auto [low, high] = perDimension(*x, first ? 2 : 1, call.arguments.margins("cropping", rank));
  SmallVector<int64_t> limit, strides(x->rank(), 1);
  for (int64_t axis = 0; axis < x->rank(); ++axis) {
    if (!ShapedType::isDynamic(x->size(axis)) && low[axis] + high[axis] >= x->size(axis))
      return call.fail("cropping takes " + std::to_string(low[axis] + high[axis]) + " of the " +
                       std::to_string(x->size(axis)) + " elements of dimension " +
                       std::to_string(axis) + ": nothing is left");
    limit.push_back(-1 - high[axis]);
  }
  Value y = SliceOp::create(call.builder, x->value, low, limit, strides);
  return resized(y, *x, whereNotZero(low, high));
}

//===--- UpSampling ------------------------------------------------------------------------------

static const Argument upSampling1DArguments[] = {{"size", areSizes<1>, "2"}};
static const Argument upSampling2DArguments[] = {
    {"size", areSizes<2>, "2"},
    {"data_format", isDataFormatOrNull, "null"},
    {"interpolation", isInterpolation, "\"nearest\""},
};
static const Argument upSampling3DArguments[] = {
    {"size", areSizes<3>, "2"},
    {"data_format", isDataFormatOrNull, "null"},
};

/// A tensor of which only the shape is used: images x with their spatial dimensions so many times
/// as large.
static Value enlarged(LayerCall &call, const Tensor &x, ArrayRef<int64_t> size) {
  SmallVector<int64_t> low(x.rank(), 0), interior(x.rank(), 0);
  for (auto [i, factor] : llvm::enumerate(size))
    interior[i + 1] = factor - 1;
  return PadOp::create(call.builder, x.value, Value(), low, interior, interior, APFloat(0.0));
}

/// Each element as often as `size` says: added to all elements of a window of its own.
static Value repeated(LayerCall &call, const Tensor &x, ArrayRef<int64_t> size) {
  SmallVector<int64_t> padding(2 * size.size(), 0);
  return PoolSpreadOp::create(call.builder, x.value, enlarged(call, x, size), size, size, padding);
}

/// How much an element is worth at the places of the larger image around it, along one dimension.
static std::vector<double> tent(int64_t factor) {
  int64_t count = factor % 2 ? 2 * factor - 1 : 2 * factor;
  std::vector<double> weights;
  for (int64_t i = 0; i < count; ++i)
    weights.push_back(1 - std::abs(i - (count - 1) / 2.0) / factor);
  return weights;
}

/// The tents of both dimensions multiplied, for each channel: a kernel [rows, columns, 1,
/// channels].
static Value tentKernel(LayerCall &call, ArrayRef<double> rows, ArrayRef<double> columns,
                        const Tensor &x) {
  int64_t height = rows.size(), width = columns.size(), channels = x.size(3);
  SmallVector<Attribute> elements;
  for (double row : rows)
    for (double column : columns)
      elements.append(channels, FloatAttr::get(x.element(), row * column));
  auto type = RankedTensorType::get({height, width, 1, channels}, x.element());
  return ConstantOp::create(call.builder, DenseElementsAttr::get(type, elements));
}

/// What all weights of a place add up to: less than one at the edges, where there is nothing to
/// interpolate with.
static std::vector<double> totals(ArrayRef<double> weights, int64_t size, int64_t factor) {
  std::vector<double> sums(size * factor, 0.0);
  int64_t before = (int64_t(weights.size()) - factor) / 2;
  for (int64_t i = 0; i < size; ++i)
    for (auto [place, weight] : llvm::enumerate(weights)) {
      int64_t at = i * factor + int64_t(place) - before;
      if (at >= 0 && at < int64_t(sums.size()))
        sums[at] += weight;
    }
  return sums;
}

/// Interpolates between the centres of pixels; beyond the outermost there is what is there. As the
/// adjoint of a convolution with strides: each pixel adds its share to those around it.
static FailureOr<Value> interpolated(LayerCall &call, const Tensor &x, ArrayRef<int64_t> size) {
  if (llvm::any_of(x.type().getShape().drop_front(), ShapedType::isDynamic))
    return call.fail("interpolation \"bilinear\" needs an input of fixed size");
  std::vector<double> rows = tent(size[0]), columns = tent(size[1]);
  SmallVector<int64_t> padding;
  for (int64_t missing : {int64_t(rows.size()) - size[0], int64_t(columns.size()) - size[1]})
    padding.append({missing / 2, missing - missing / 2});
  Value y = ConvInputGradOp::create(call.builder, x.value, tentKernel(call, rows, columns, x),
                                    enlarged(call, x, size), size, padding, ArrayRef<int64_t>{1, 1},
                                    x.size(3));
  for (auto [axis, weights] : {std::pair(1, rows), std::pair(2, columns)}) {
    std::vector<double> sums = totals(weights, x.size(axis), size[axis - 1]);
    y = DivOp::create(call.builder, y,
                      constantAlong(call.builder, sums, axis, x.rank(), x.element()));
  }
  return y;
}

template <size_t rank> static FailureOr<Tensor> upSampling(LayerCall &call) {
  FailureOr<Tensor> x = rank == 1 ? call.singleFloat(3, 3) : images(call, rank);
  if (failed(x))
    return failure();
  std::vector<int64_t> size = call.arguments.sizes("size", rank);
  SmallVector<bool> changes(rank + 2, false);
  for (size_t i = 0; i < rank; ++i)
    changes[i + 1] = size[i] != 1;
  FailureOr<Value> y = rank == 2 && call.arguments.text("interpolation") == "bilinear"
                           ? interpolated(call, *x, size)
                           : FailureOr<Value>(repeated(call, *x, size));
  if (failed(y))
    return failure();
  Tensor result = resized(*y, *x, changes);
  return rank == 1 ? result : inFormat(call, result);
}

void registerResizingLayers(Registration &layers) {
  layers.push_back({"ZeroPadding1D", ArgumentTable(paddingArguments<1>), zeroPadding<1>});
  layers.push_back({"ZeroPadding2D", ArgumentTable(paddingArguments<2>), zeroPadding<2>});
  layers.push_back({"ZeroPadding3D", ArgumentTable(paddingArguments<3>), zeroPadding<3>});
  layers.push_back({"Cropping1D", ArgumentTable(cropping1DArguments), cropping<1>});
  layers.push_back({"Cropping2D", ArgumentTable(croppingArguments<2>), cropping<2>});
  layers.push_back({"Cropping3D", ArgumentTable(croppingArguments<3>), cropping<3>});
  layers.push_back({"UpSampling1D", ArgumentTable(upSampling1DArguments), upSampling<1>});
  layers.push_back({"UpSampling2D", ArgumentTable(upSampling2DArguments), upSampling<2>});
  layers.push_back({"UpSampling3D", ArgumentTable(upSampling3DArguments), upSampling<3>});
}

} // namespace formwork::keras
