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
  return {Window{size[0], strides[0], dilations[0], padding[0], padding[1]},
          Window{size[1], strides[1], dilations[1], padding[2], padding[3]}};
}

LogicalResult verifyWindows(std::optional<Location> location, RankedTensorType type,
                            ArrayRef<int64_t> size, ArrayRef<int64_t> strides,
                            ArrayRef<int64_t> padding, ArrayRef<int64_t> dilations) {
  if (type.getRank() != 4)
    return emitOptionalError(location, "needs images [n, height, width, channels], not ", type);
  if (size.size() != 2 || strides.size() != 2 || dilations.size() != 2 || padding.size() != 4)
    return emitOptionalError(location, "needs two sizes, strides and dilations, and four paddings");
  for (auto [window, length] :
       llvm::zip(windowsOf(size, strides, padding, dilations), type.getShape().slice(1, 2))) {
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

Value padded(ImplicitLocOpBuilder &builder, Value x, const Windows &windows, double value) {
  const auto &[rows, columns] = windows;
  return builder.createOrFold<PadOp>(x, Value(), ArrayRef<int64_t>{0, rows.low, columns.low, 0},
                                     ArrayRef<int64_t>{0, rows.high, columns.high, 0},
                                     ArrayRef<int64_t>{0, 0, 0, 0}, APFloat(value));
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
