// Builds linalg.generic, and the tensors it writes into.
#include "ir/Generic.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace formwork {

//===--- sizes -----------------------------------------------------------------------------------

Sizes sizesOf(ImplicitLocOpBuilder &builder, Value value) {
  return tensor::getMixedSizes(builder, builder.getLoc(), value);
}

OpFoldResult sizeOf(ImplicitLocOpBuilder &builder, Value value, int64_t axis) {
  return tensor::getMixedSize(builder, builder.getLoc(), value, axis);
}

Value asValue(ImplicitLocOpBuilder &builder, OpFoldResult index) {
  return getValueOrCreateConstantIndexOp(builder, builder.getLoc(), index);
}

OpFoldResult scaled(ImplicitLocOpBuilder &builder, OpFoldResult a, int64_t scale, int64_t offset) {
  if (std::optional<int64_t> known = getConstantIntValue(a))
    return builder.getIndexAttr(*known * scale + offset);
  Value value = asValue(builder, a);
  if (scale != 1)
    value = arith::MulIOp::create(builder, value, arith::ConstantIndexOp::create(builder, scale));
  if (offset != 0)
    value = arith::AddIOp::create(builder, value, arith::ConstantIndexOp::create(builder, offset));
  return value;
}

OpFoldResult added(ImplicitLocOpBuilder &builder, OpFoldResult a, OpFoldResult b) {
  if (std::optional<int64_t> known = getConstantIntValue(a))
    return scaled(builder, b, 1, *known);
  if (std::optional<int64_t> known = getConstantIntValue(b))
    return scaled(builder, a, 1, *known);
  return arith::AddIOp::create(builder, asValue(builder, a), asValue(builder, b)).getResult();
}

OpFoldResult multiplied(ImplicitLocOpBuilder &builder, OpFoldResult a, OpFoldResult b) {
  if (std::optional<int64_t> known = getConstantIntValue(a))
    return scaled(builder, b, *known, 0);
  if (std::optional<int64_t> known = getConstantIntValue(b))
    return scaled(builder, a, *known, 0);
  return arith::MulIOp::create(builder, asValue(builder, a), asValue(builder, b)).getResult();
}

//===--- destinations ----------------------------------------------------------------------------

bool isEmpty(Type type) { return llvm::is_contained(cast<RankedTensorType>(type).getShape(), 0); }

Value emptyOf(ImplicitLocOpBuilder &builder, RankedTensorType type, ArrayRef<OpFoldResult> sizes) {
  SmallVector<Value> open;
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (type.isDynamicDim(i))
      open.push_back(asValue(builder, sizes[i]));
  return tensor::EmptyOp::create(builder, type, open);
}

Value filled(ImplicitLocOpBuilder &builder, Value empty, TypedAttr value) {
  Value constant = arith::ConstantOp::create(builder, value);
  return linalg::FillOp::create(builder, constant, empty).getResult(0);
}

Value filled(ImplicitLocOpBuilder &builder, Value empty, double value) {
  return filled(builder, empty, literalAttribute(getElementTypeOrSelf(empty.getType()), value));
}

Value conform(ImplicitLocOpBuilder &builder, Value value, Type type) {
  return value.getType() == type ? value : tensor::CastOp::create(builder, type, value);
}

//===--- linalg.generic --------------------------------------------------------------------------

Value generic(ImplicitLocOpBuilder &builder, ValueRange inputs, Value initial,
              ArrayRef<AffineMap> maps, ArrayRef<utils::IteratorType> iterators, ScalarBody body) {
  auto write = [&](OpBuilder &inner, Location location, ValueRange elements) {
    ImplicitLocOpBuilder scalars(location, inner);
    SmallVector<Expr> operands;
    for (Value element : elements)
      operands.emplace_back(scalars, element);
    linalg::YieldOp::create(scalars, body(operands).value());
  };
  return linalg::GenericOp::create(builder, TypeRange(initial.getType()), inputs,
                                   ValueRange(initial), maps, iterators, write)
      .getResult(0);
}

Value generic(ImplicitLocOpBuilder &builder, int64_t loops, ArrayRef<Indexed> inputs,
              const Indexed &initial, ScalarBody body) {
  SmallVector<Value> tensors;
  SmallVector<AffineMap> maps;
  for (const Indexed &input : inputs) {
    tensors.push_back(input.tensor);
    maps.push_back(AffineMap::get(loops, 0, input.indices, builder.getContext()));
  }
  maps.push_back(AffineMap::get(loops, 0, initial.indices, builder.getContext()));
  SmallVector<utils::IteratorType> iterators(loops, utils::IteratorType::reduction);
  for (AffineExpr index : initial.indices)
    if (auto dimension = dyn_cast<AffineDimExpr>(index))
      iterators[dimension.getPosition()] = utils::IteratorType::parallel;
  return generic(builder, tensors, initial.tensor, maps, iterators, body);
}

Expr loopIndex(ImplicitLocOpBuilder &scalars, int64_t dimension, Type type) {
  Value index = linalg::IndexOp::create(scalars, dimension);
  return {scalars, arith::IndexCastOp::create(scalars, type, index)};
}

} // namespace formwork
