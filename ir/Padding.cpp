// Images with what lies around them: padding, and for gradients what lies between elements.
#include "ir/Padding.h"
#include "ir/Slicing.h"

using namespace mlir;

namespace formwork {

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
    high.push_back(std::max<int64_t>(window.high, 0)); // What no window reads may stay.
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
