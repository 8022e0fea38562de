// Indices made, and rows looked up by index.
#include "ir/Broadcasting.h"
#include "ir/Machine.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace formwork {

/// One loop per dimension, from `first` on.
static SmallVector<AffineExpr> loopsOf(Builder &builder, int64_t rank, int64_t first = 0) {
  return llvm::map_to_vector(llvm::seq(first, first + rank),
                             [&](int64_t i) { return builder.getAffineDimExpr(i); });
}

//===--- iota_like -------------------------------------------------------------------------------

LogicalResult IotaLikeOp::inferReturnTypes(MLIRContext *context, std::optional<Location> location,
                                           Adaptor adaptor, SmallVectorImpl<Type> &types) {
  auto x = cast<RankedTensorType>(adaptor.getX().getType());
  int64_t axis = adaptor.getAxis();
  if (axis < 0 || axis >= x.getRank())
    return emitOptionalError(location, "axis ", axis, " is not one of ", x);
  types.push_back(x.clone(IntegerType::get(context, 64)));
  return success();
}

MaybeValues IotaLikeOp::decompose(ImplicitLocOpBuilder &builder) {
  Value empty = emptyOf(builder, getType(), sizesOf(builder, getX()));
  int64_t rank = getType().getRank();
  auto body = [&](ArrayRef<Expr> elements) {
    return loopIndex(elements.back().build(), getAxis(), builder.getI64Type());
  };
  return SmallVector<Value>{generic(builder, rank, {}, {empty, loopsOf(builder, rank)}, body)};
}

//===--- one_hot ---------------------------------------------------------------------------------

LogicalResult OneHotOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                         Adaptor adaptor, SmallVectorImpl<Type> &types) {
  if (int64_t(adaptor.getDepth()) < 0)
    return emitOptionalError(location, "depth ", int64_t(adaptor.getDepth()), " is negative");
  SmallVector<int64_t> shape(cast<RankedTensorType>(adaptor.getIndices().getType()).getShape());
  shape.push_back(adaptor.getDepth());
  types.push_back(RankedTensorType::get(shape, adaptor.getTo()));
  return success();
}

MaybeValues OneHotOp::decompose(ImplicitLocOpBuilder &builder) {
  Sizes sizes = sizesOf(builder, getIndices());
  int64_t rank = getType().getRank();
  Type integer = getIndices().getType().getElementType();
  auto body = [&](ArrayRef<Expr> elements) {
    Expr hit = equal(elements[0], loopIndex(elements[0].build(), rank - 1, integer));
    return castTo(hit, getTo());
  };
  Indexed result{emptyOf(builder, getType(), sizes), loopsOf(builder, rank)};
  return SmallVector<Value>{
      generic(builder, rank, Indexed{getIndices(), loopsOf(builder, rank - 1)}, result, body)};
}

//===--- gather ----------------------------------------------------------------------------------

static LogicalResult verifyTable(std::optional<Location> location, RankedTensorType table) {
  if (table.getRank() == 0 || table.getDimSize(0) == 0)
    return emitOptionalError(location, "there is no row to look up in ", table);
  return success();
}

/// The shape of indices, then that of a row.
static SmallVector<int64_t> rowsShape(RankedTensorType indices, RankedTensorType table) {
  SmallVector<int64_t> shape(indices.getShape());
  llvm::append_range(shape, table.getShape().drop_front());
  return shape;
}

LogicalResult GatherOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                         Adaptor adaptor, SmallVectorImpl<Type> &types) {
  auto table = cast<RankedTensorType>(adaptor.getTable().getType());
  auto indices = cast<RankedTensorType>(adaptor.getIndices().getType());
  if (failed(verifyTable(location, table)))
    return failure();
  types.push_back(table.clone(rowsShape(indices, table)));
  return success();
}

/// `index` as a position within `rows` rows.
static Value clamped(ImplicitLocOpBuilder &builder, Value index, Value rows) {
  Value zero = arith::ConstantIndexOp::create(builder, 0);
  Value one = arith::ConstantIndexOp::create(builder, 1);
  Value last = arith::SubIOp::create(builder, rows, one);
  Value position = arith::IndexCastOp::create(builder, builder.getIndexType(), index);
  return arith::MaxSIOp::create(builder, arith::MinSIOp::create(builder, position, last), zero);
}

MaybeValues GatherOp::decompose(ImplicitLocOpBuilder &builder) {
  int64_t rank = getType().getRank(), leading = getIndices().getType().getRank();
  Sizes sizes = sizesOf(builder, getIndices());
  llvm::append_range(sizes, ArrayRef(sizesOf(builder, getTable())).drop_front());
  Value rows = asValue(builder, sizeOf(builder, getTable(), 0));
  auto body = [&](ArrayRef<Expr> elements) -> Expr {
    ImplicitLocOpBuilder &scalars = elements[0].build();
    SmallVector<Value> at = {clamped(scalars, elements[0].value(), rows)};
    for (int64_t i = leading; i < rank; ++i)
      at.push_back(linalg::IndexOp::create(scalars, i));
    return {scalars, tensor::ExtractOp::create(scalars, getTable(), at)};
  };
  Indexed result{emptyOf(builder, getType(), sizes), loopsOf(builder, rank)};
  return SmallVector<Value>{
      generic(builder, rank, Indexed{getIndices(), loopsOf(builder, leading)}, result, body)};
}

MaybeValues GatherOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  return SmallVector<Value>{ScatterAddOp::create(builder, getIndices(), cotangents[0], getTable()),
                            Value()};
}

//===--- scatter_add -----------------------------------------------------------------------------

LogicalResult ScatterAddOp::inferReturnTypes(MLIRContext *, std::optional<Location> location,
                                             Adaptor adaptor, SmallVectorImpl<Type> &types) {
  auto like = cast<RankedTensorType>(adaptor.getLike().getType());
  auto indices = cast<RankedTensorType>(adaptor.getIndices().getType());
  auto updates = cast<RankedTensorType>(adaptor.getUpdates().getType());
  if (failed(verifyTable(location, like)))
    return failure();
  auto expected = updates.clone(rowsShape(indices, like));
  if (failed(verifyCompatibleShape(expected, updates)))
    return emitOptionalError(location, "needs one row of ", like, " per index of ", indices, ": ",
                             expected, ", not ", updates);
  types.push_back(like);
  return success();
}

/// `x` with its first `leading` dimensions as one.
static Value withOneLeading(ImplicitLocOpBuilder &builder, Value x, int64_t leading) {
  auto type = cast<RankedTensorType>(x.getType());
  if (leading == 1)
    return x;
  if (leading == 0) {
    SmallVector<int64_t> shape = {1};
    llvm::append_range(shape, type.getShape());
    SmallVector<ReassociationIndices> groups;
    for (int64_t i = 0; i < type.getRank(); ++i)
      groups.push_back(i == 0 ? ReassociationIndices{0, 1} : ReassociationIndices{i + 1});
    return tensor::ExpandShapeOp::create(builder, type.clone(shape), x, groups);
  }
  SmallVector<ReassociationIndices> groups = {llvm::to_vector<2>(llvm::seq<int64_t>(0, leading))};
  for (int64_t i = leading; i < type.getRank(); ++i)
    groups.push_back({i});
  return tensor::CollapseShapeOp::create(builder, x, groups);
}

namespace {
/// Row `index` of a tensor whose leading dimension counts rows.
struct Row {
  Sizes offsets, sizes, strides;
  RankedTensorType type;

  Row(ImplicitLocOpBuilder &builder, Value rows, Value index) : sizes(sizesOf(builder, rows)) {
    auto all = cast<RankedTensorType>(rows.getType());
    type = all.clone(all.getShape().drop_front());
    offsets.assign(all.getRank(), builder.getIndexAttr(0));
    strides.assign(all.getRank(), builder.getIndexAttr(1));
    offsets[0] = index;
    sizes[0] = builder.getIndexAttr(1);
  }
};
} // namespace

/// Each row sums the updates whose index it is, in their order: much is compared, and no step waits
/// for another. The same bits as one after the other.
static Value sumOfMatching(ImplicitLocOpBuilder &builder, Value indices, Value updates, Value rows,
                           Value zeros) {
  int64_t rank = cast<RankedTensorType>(zeros.getType()).getRank();
  SmallVector<AffineExpr> row = loopsOf(builder, rank), update = row;
  update.front() = builder.getAffineDimExpr(rank);
  auto body = [&](ArrayRef<Expr> elements) -> Expr {
    ImplicitLocOpBuilder &scalars = elements[0].build();
    Value index = clamped(scalars, elements[0].value(), rows);
    Value matches = arith::CmpIOp::create(scalars, arith::CmpIPredicate::eq, index,
                                          linalg::IndexOp::create(scalars, 0));
    Value nothing =
        arith::ConstantOp::create(scalars, scalars.getZeroAttr(elements[1].value().getType()));
    Value added = arith::SelectOp::create(scalars, matches, elements[1].value(), nothing);
    return elements[2] + Expr(scalars, added);
  };
  return generic(builder, rank + 1, {Indexed{indices, {update.front()}}, Indexed{updates, update}},
                 Indexed{zeros, row}, body);
}

// One row after the other, in place: serial, and so the same bits on every run. Where thousands of
// threads would wait for it, another way to the same.
MaybeValues ScatterAddOp::decompose(ImplicitLocOpBuilder &builder) {
  Value zeros = filled(builder, emptyOf(builder, getType(), sizesOf(builder, getLike())), 0);
  if (isEmpty(getType()))
    return SmallVector<Value>{zeros};
  int64_t leading = getIndices().getType().getRank();
  Value indices = withOneLeading(builder, getIndices(), leading);
  Value updates = withOneLeading(builder, getUpdates(), leading);
  Value rows = asValue(builder, sizeOf(builder, getLike(), 0));
  if ((*this)->getParentOfType<ModuleOp>()->hasAttr(manyThreadsAttr)) {
    auto type = cast<RankedTensorType>(updates.getType());
    SmallVector<int64_t> shape(getType().getShape());
    shape.front() = type.getDimSize(0);
    updates = conform(builder, updates, type.clone(shape));
    return SmallVector<Value>{sumOfMatching(builder, indices, updates, rows, zeros)};
  }
  Value zero = arith::ConstantIndexOp::create(builder, 0);
  Value one = arith::ConstantIndexOp::create(builder, 1);
  Value steps = asValue(builder, sizeOf(builder, indices, 0));

  auto step = [&](OpBuilder &inner, Location location, Value i, ValueRange state) {
    ImplicitLocOpBuilder body(location, inner);
    Value index = tensor::ExtractOp::create(body, indices, i);
    Row from(body, updates, i), to(body, state[0], clamped(body, index, rows));
    Value update = tensor::ExtractSliceOp::create(body, from.type, updates, from.offsets,
                                                  from.sizes, from.strides);
    Value current =
        tensor::ExtractSliceOp::create(body, to.type, state[0], to.offsets, to.sizes, to.strides);
    SmallVector<AffineExpr> loops = loopsOf(body, to.type.getRank());
    Value sum = generic(body, loops.size(), Indexed{conform(body, update, to.type), loops},
                        {current, loops},
                        [](ArrayRef<Expr> elements) { return elements[1] + elements[0]; });
    Value next =
        tensor::InsertSliceOp::create(body, sum, state[0], to.offsets, to.sizes, to.strides);
    scf::YieldOp::create(body, next);
  };
  auto loop = scf::ForOp::create(builder, zero, steps, one, zeros, step);
  return SmallVector<Value>(loop.getResults());
}

MaybeValues ScatterAddOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  Value dupdates = GatherOp::create(builder, cotangents[0], getIndices());
  return SmallVector<Value>{Value(), sumToShapeOf(builder, dupdates, getUpdates()), Value()};
}

} // namespace formwork
