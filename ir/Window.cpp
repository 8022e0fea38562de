// Sliding windows: which positions they have, and how images are padded for them.
#include "ir/Window.h"
#include "ir/Slicing.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace formwork {

int64_t Window::positions(int64_t length) const {
  return ShapedType::isDynamic(length) ? length : (length + low + high - span()) / stride + 1;
}

OpFoldResult Window::positions(ImplicitLocOpBuilder &builder, OpFoldResult length) const {
  if (std::optional<int64_t> known = getConstantIntValue(length))
    return builder.getIndexAttr(positions(*known));
  // (length + padding - span + stride) / stride, and none where the window does not fit.
  OpFoldResult room = scaled(builder, length, 1, low + high - span() + stride);
  Value zero = arith::ConstantIndexOp::create(builder, 0);
  Value safe = arith::MaxSIOp::create(builder, asValue(builder, room), zero);
  Value step = arith::ConstantIndexOp::create(builder, stride);
  return arith::DivUIOp::create(builder, safe, step).getResult();
}

Windows windowsOf(ArrayRef<int64_t> size, ArrayRef<int64_t> strides, ArrayRef<int64_t> padding,
                  ArrayRef<int64_t> dilations) {
  Windows windows;
  for (size_t i = 0; i < size.size(); ++i)
    windows.push_back({size[i], strides[i], dilations.empty() ? 1 : dilations[i], padding[2 * i],
                       padding[2 * i + 1]});
  return windows;
}

LogicalResult verifyWindows(std::optional<Location> location, RankedTensorType type,
                            ArrayRef<int64_t> size, ArrayRef<int64_t> strides,
                            ArrayRef<int64_t> padding, std::optional<ArrayRef<int64_t>> dilations) {
  size_t count = size.size();
  if (strides.size() != count || dilations.value_or(size).size() != count ||
      padding.size() != 2 * count)
    return emitOptionalError(location, "a window of ", count, " dimensions needs ", count,
                             " strides and dilations, and ", 2 * count, " paddings");
  if (count == 0 || type.getRank() != int64_t(count) + 2)
    return emitOptionalError(location, "a window of ", count, " dimensions slides over ",
                             "[n, as many dimensions, channels], not over ", type);
  for (auto [window, length] :
       llvm::zip_equal(windowsOf(size, strides, padding, dilations.value_or(ArrayRef<int64_t>())),
                       type.getShape().drop_front().drop_back())) {
    if (window.size < 1 || window.stride < 1 || window.dilation < 1)
      return emitOptionalError(location, "window size, stride and dilation must be positive");
    if (std::min(window.low, window.high) < 0 || std::max(window.low, window.high) >= window.span())
      return emitOptionalError(location, "padding ", window.low, " and ", window.high,
                               " must lie within a window that spans ", window.span());
    if (!ShapedType::isDynamic(length) && length + window.low + window.high < window.span())
      return emitOptionalError(location, "a window that spans ", window.span(),
                               " does not fit into ", length, " padded by ", window.low, " and ",
                               window.high);
  }
  return success();
}

SmallVector<int64_t> positions(RankedTensorType image, const Windows &windows, int64_t channels) {
  SmallVector<int64_t> shape = {image.getDimSize(0)};
  for (auto [i, window] : llvm::enumerate(windows))
    shape.push_back(window.positions(image.getDimSize(i + 1)));
  shape.push_back(channels);
  return shape;
}

Sizes positions(ImplicitLocOpBuilder &builder, Value image, const Windows &windows) {
  Sizes sizes = sizesOf(builder, image);
  for (auto [i, window] : llvm::enumerate(windows))
    sizes[i + 1] = window.positions(builder, sizes[i + 1]);
  return sizes;
}

Value padded(ImplicitLocOpBuilder &builder, Value x, const Windows &windows, double value) {
  SmallVector<int64_t> low = {0}, high = {0}, interior(windows.size() + 2, 0);
  for (const Window &window : windows) {
    low.push_back(window.low);
    high.push_back(window.high);
  }
  low.push_back(0);
  high.push_back(0);
  return builder.createOrFold<PadOp>(x, Value(), low, high, interior, APFloat(value));
}

Value spread(ImplicitLocOpBuilder &builder, Value y, Value image, const Windows &windows,
             double value) {
  SmallVector<int64_t> low = {0}, strides = {1};
  Sizes sizes = sizesOf(builder, y);
  for (auto [i, window] : llvm::enumerate(windows)) {
    low.push_back(window.span() - 1 - window.low);
    strides.push_back(window.stride);
    sizes[i + 1] = scaled(builder, sizeOf(builder, image, i + 1), 1, window.span() - 1);
  }
  low.push_back(0);
  strides.push_back(1);
  SmallVector<int64_t> shape = llvm::map_to_vector(sizes, [](OpFoldResult size) {
    return getConstantIntValue(size).value_or(ShapedType::kDynamic);
  });
  auto type = cast<RankedTensorType>(y.getType()).clone(shape);
  if (type == y.getType() && type.hasStaticShape())
    return y;
  return embed(builder, y, filled(builder, emptyOf(builder, type, sizes), value), low, strides);
}

} // namespace formwork
