#include "frontend/keras/layers/Windows.h"

#include "frontend/keras/layers/Layers.h"

using namespace mlir;

namespace formwork::keras {

bool isChannelsFirst(LayerCall &call) {
  const std::string *format = call.arguments["data_format"].string();
  return format && *format == "channels_first";
}

/// 0, 1, ... with the dimension at `from` moved to `to`.
static SmallVector<int64_t> moved(int64_t rank, int64_t from, int64_t to) {
  auto order = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  order.erase(order.begin() + from);
  order.insert(order.begin() + to, from);
  return order;
}

FailureOr<Tensor> images(LayerCall &call, int64_t spatial) {
  FailureOr<Tensor> x = call.singleFloat(spatial + 2, spatial + 2);
  if (failed(x) || !isChannelsFirst(call))
    return x;
  return permute(call.builder, *x, moved(x->rank(), 1, x->rank() - 1));
}

Tensor inFormat(LayerCall &call, const Tensor &y) {
  return isChannelsFirst(call) ? permute(call.builder, y, moved(y.rank(), y.rank() - 1, 1)) : y;
}

FailureOr<SmallVector<int64_t>> paddingFor(LayerCall &call, const Tensor &x,
                                           const SlidingWindow &window) {
  StringRef kind = call.arguments.text("padding");
  SmallVector<int64_t> padding;
  for (size_t i = 0; i < window.rank(); ++i) {
    int64_t size = x.size(i + 1), stride = window.strides[i], extent = window.extent(i);
    int64_t before = kind == "causal" ? extent - 1 : 0, after = 0;
    if (kind == "same" && ShapedType::isDynamic(size) && stride != 1)
      return call.fail("padding \"same\" with strides needs an input of fixed size");
    if (kind == "same") {
      int64_t missing = stride == 1
                            ? extent - 1
                            : std::max<int64_t>((size - 1) / stride * stride + extent - size, 0);
      before = missing / 2;
      after = missing - before;
    }
    if (!ShapedType::isDynamic(size) && size + before + after < extent)
      return call.fail("its input of shape " + shapeText(x.type().getShape()) +
                       " (channels last) is smaller than its window");
    padding.push_back(before);
    padding.push_back(after);
  }
  return padding;
}

Tensor overPositions(Value value, const Tensor &x, const SlidingWindow &window,
                     ArrayRef<int64_t> padding) {
  Tensor y{value, x.symbols};
  for (size_t i = 0; i < window.rank(); ++i) {
    bool keeps =
        window.strides[i] == 1 && padding[2 * i] + padding[2 * i + 1] == window.extent(i) - 1;
    if (ShapedType::isDynamic(x.size(i + 1)) && !keeps)
      y.symbols[i + 1] = derivedSize;
  }
  return y;
}

} // namespace formwork::keras
