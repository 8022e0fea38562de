// Sliding windows: which positions they have, and what those read.
#include "ir/Window.h"
#include "ir/Generic.h"

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

int64_t Window::reach(int64_t length, int64_t count) const {
  return ShapedType::isDynamic(length) ? length : std::min(length, end(count));
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
    // A plain index must run over all that it indexes.
    bool leavesOver = window.high < 0 && window.isPointwise();
    if (window.low < 0 || std::max(window.low, window.high) >= window.span() || leavesOver)
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

} // namespace formwork
