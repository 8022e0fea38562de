#include "codegen/kernel/Writer.h"

#include "mlir/IR/OperationSupport.h"

using namespace mlir;

namespace formwork {

std::optional<int64_t> constantOf(Value value) { return getConstantIntValue(value); }

//===--- one op per value ------------------------------------------------------------------------

unsigned Writer::Equality::getHashValue(const Operation *op) {
  return OperationEquivalence::computeHash(
      const_cast<Operation *>(op), OperationEquivalence::directHashValue,
      OperationEquivalence::ignoreHashValue, OperationEquivalence::IgnoreLocations);
}

bool Writer::Equality::isEqual(const Operation *a, const Operation *b) {
  if (a == b)
    return true;
  if (a == getEmptyKey() || a == getTombstoneKey() || b == getEmptyKey() || b == getTombstoneKey())
    return false;
  return OperationEquivalence::isEquivalentTo(const_cast<Operation *>(a),
                                              const_cast<Operation *>(b),
                                              OperationEquivalence::IgnoreLocations);
}

/// Reads count: what rows write, none of them reads.
static bool isInvariant(Operation *op, scf::ForOp loop) {
  return op->getNumRegions() == 0 && llvm::all_of(op->getOperands(), [&](Value operand) {
           return loop.isDefinedOutsideOfLoop(operand);
         });
}

Value Writer::unique(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return value;
  for (Scope &scope : scopes) {
    auto found = scope.known.find(op);
    if (found == scope.known.end())
      continue;
    if (*found == op)
      return value;
    Value known = (*found)->getResult(cast<OpResult>(value).getResultNumber());
    if (op->use_empty())
      op->erase();
    return known;
  }
  size_t depth = scopes.size() - 1;
  for (; scopes[depth].rows && isInvariant(op, scopes[depth].rows); --depth)
    op->moveBefore(scopes[depth].rows);
  scopes[depth].known.insert(op);
  return value;
}

Value Writer::make(OperationState &state) {
  Operation *op = builder.create(state);
  SmallVector<Value> folded;
  if (succeeded(builder.tryFold(op, folded)) && !folded.empty()) {
    op->erase();
    return unique(folded.front());
  }
  return unique(op->getResult(0));
}

void Writer::clone(Operation &op, IRMapping &values) {
  Operation *copy = builder.clone(op, values);
  for (auto [original, result] : llvm::zip_equal(op.getResults(), copy->getResults()))
    values.map(original, op.getNumResults() == 1 ? unique(result) : result);
}

//===--- index arithmetic ------------------------------------------------------------------------

Value Writer::index(int64_t value) { return make<arith::ConstantOp>(builder.getIndexAttr(value)); }

Value Writer::add(Value a, int64_t b) { return b == 0 ? a : add(a, index(b)); }

Value Writer::add(Value a, Value b) { return make<arith::AddIOp>(a, b); }

Value Writer::mul(Value a, Value b) { return make<arith::MulIOp>(a, b); }

Value Writer::minimum(Value a, Value b) { return make<arith::MinSIOp>(a, b); }

Value Writer::expression(AffineExpr expression, ArrayRef<Value> dims) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expression))
    return index(constant.getValue());
  if (auto dim = dyn_cast<AffineDimExpr>(expression)) {
    assert(dims[dim.getPosition()] && "an index that this place does not have");
    return dims[dim.getPosition()];
  }
  auto binary = cast<AffineBinaryOpExpr>(expression);
  Value a = this->expression(binary.getLHS(), dims), b = this->expression(binary.getRHS(), dims);
  switch (binary.getKind()) {
  case AffineExprKind::Add:
    return add(a, b);
  case AffineExprKind::Mul:
    return mul(a, b);
  case AffineExprKind::FloorDiv: // indices are not negative
    return make<arith::DivUIOp>(a, b);
  case AffineExprKind::CeilDiv:
    return make<arith::CeilDivUIOp>(a, b);
  default:
    return make<arith::RemUIOp>(a, b);
  }
}

//===--- control flow ----------------------------------------------------------------------------

static void mark(scf::ForOp loop, const LoopStyle &style) {
  Builder builder(loop);
  if (style.unroll > 1)
    loop->setDiscardableAttr(unrollAttr, builder.getI64IntegerAttr(style.unroll));
  if (!style.name.empty())
    loop->setDiscardableAttr(nameAttr, builder.getStringAttr(style.name));
  if (!style.comment.empty())
    loop->setDiscardableAttr(commentAttr, builder.getStringAttr(style.comment));
}

/// Whether `to` is written as `from` and one.
static bool isNext(Value from, Value to) {
  auto sum = to.getDefiningOp<arith::AddIOp>();
  return sum && sum.getLhs() == from && constantOf(sum.getRhs()) == 1;
}

SmallVector<Value> Writer::loop(Value from, Value to, int64_t step, ValueRange carried,
                                LoopBody body, LoopStyle style) {
  auto first = constantOf(from), last = constantOf(to);
  if (first && last && *first >= *last)
    return SmallVector<Value>(carried);
  if ((first && last && *first + step >= *last) || isNext(from, to))
    return body(from, carried);
  auto loop = scf::ForOp::create(builder, from, to, index(step), carried);
  mark(loop, style);
  OpBuilder::InsertionGuard guard(builder);
  if (!loop.getBody()->empty())
    loop.getBody()->getTerminator()->erase();
  builder.setInsertionPointToEnd(loop.getBody());
  scopes.emplace_back();
  scf::YieldOp::create(builder, body(loop.getInductionVar(), loop.getRegionIterArgs()));
  scopes.pop_back();
  return SmallVector<Value>(loop.getResults());
}

void Writer::rows(int64_t from, int64_t to, llvm::function_ref<void(Value row)> body,
                  StringRef comment) {
  auto loop = scf::ForOp::create(builder, index(from), index(to), index(1));
  mark(loop, {to - from, "row", comment.str()});
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(loop.getBody()->getTerminator());
  scopes.push_back({{}, loop});
  body(loop.getInductionVar());
  scopes.pop_back();
}

SmallVector<Value> Writer::branch(Value condition, TypeRange types,
                                  llvm::function_ref<SmallVector<Value>()> then,
                                  llvm::function_ref<SmallVector<Value>()> otherwise) {
  if (auto constant = constantOf(condition))
    return *constant ? then() : otherwise();
  auto branch = scf::IfOp::create(builder, types, condition, /*withElseRegion=*/true);
  for (auto [region, body] :
       {std::pair(&branch.getThenRegion(), then), std::pair(&branch.getElseRegion(), otherwise)}) {
    OpBuilder::InsertionGuard guard(builder);
    if (!region->front().empty())
      region->front().getTerminator()->erase();
    builder.setInsertionPointToEnd(&region->front());
    scopes.emplace_back();
    scf::YieldOp::create(builder, body());
    scopes.pop_back();
  }
  return SmallVector<Value>(branch.getResults());
}

} // namespace formwork
