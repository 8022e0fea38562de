// Small pieces that several layers emit.
#include "frontend/keras/layers/Layers.h"

using namespace mlir;

namespace formwork::keras {

Value contract(ImplicitLocOpBuilder &builder, Value a, Value b, int64_t ofA, int64_t ofB) {
  return DotGeneralOp::create(builder, a, b, ArrayRef<int64_t>{ofA}, ArrayRef<int64_t>{ofB},
                              ArrayRef<int64_t>{}, ArrayRef<int64_t>{});
}

Tensor permute(ImplicitLocOpBuilder &builder, const Tensor &x, ArrayRef<int64_t> order) {
  Tensor y{TransposeOp::create(builder, x.value, order), {}};
  for (int64_t dimension : order)
    y.symbols.push_back(x.symbols[dimension]);
  return y;
}

Value drop(LayerCall &call, Value x, double rate) {
  return DropoutOp::create(call.builder, x, call.rng(), call.builder.getF64FloatAttr(rate),
                           call.builder.getI64IntegerAttr(call.nextStream()));
}

Value scalar(ImplicitLocOpBuilder &builder, double value, Type element) {
  auto type = RankedTensorType::get({}, element);
  return ConstantOp::create(builder, DenseElementsAttr::get(type, FloatAttr::get(element, value)));
}

Value alongAxis(ImplicitLocOpBuilder &builder, Value vector, int64_t axis, int64_t rank) {
  if (axis == rank - 1)
    return vector;
  SmallVector<int64_t> shape(rank, 1);
  shape[axis] = cast<RankedTensorType>(vector.getType()).getDimSize(0);
  return ReshapeOp::create(builder, vector, shape);
}

Value constantAlong(ImplicitLocOpBuilder &builder, ArrayRef<double> values, int64_t axis,
                    int64_t rank, Type element) {
  SmallVector<int64_t> shape(rank, 1);
  shape[axis] = values.size();
  auto elements = llvm::map_to_vector(
      values, [&](double value) -> Attribute { return FloatAttr::get(element, value); });
  auto type = RankedTensorType::get(shape, element);
  return ConstantOp::create(builder, DenseElementsAttr::get(type, elements));
}

} // namespace formwork::keras
