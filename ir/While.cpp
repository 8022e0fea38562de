// fw.while: its two bodies, the scf.while it becomes, and its gradient, which is that of a scan.
//
// Refuses a gradient without max_steps: what the way back needs could not be stored.
#include "ir/Backpropagation.h"
#include "ir/Bodies.h"
#include "ir/Retyping.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace formwork {

static SmallVector<Type> bodyTypes(WhileOp loop) {
  SmallVector<Type> types(loop.getInitials().getTypes());
  llvm::append_range(types, loop.getCaptures().getTypes());
  return types;
}

//===--- verify ----------------------------------------------------------------------------------

LogicalResult WhileOp::verify() {
  SmallVector<Type> expected = bodyTypes(*this);
  for (auto [name, region] :
       {std::pair("condition", &getCondition()), std::pair("body", &getBody())})
    if (expected != SmallVector<Type>(region->getArgumentTypes()))
      return emitOpError() << name << " takes (" << region->getArgumentTypes() << "), not ("
                           << expected << ")";
  Type predicate = RankedTensorType::get({}, IntegerType::get(getContext(), 1));
  TypeRange condition = getCondition().front().getTerminator()->getOperandTypes();
  if (condition != TypeRange(predicate))
    return emitOpError() << "condition yields (" << condition << "), not (" << predicate << ")";
  TypeRange carries = getInitials().getTypes(),
            next = getBody().front().getTerminator()->getOperandTypes();
  if (carries != next)
    return emitOpError() << "body yields (" << next << "), not (" << carries << ")";
  if (carries != getResultTypes())
    return emitOpError() << "gives (" << getResultTypes() << "), not (" << carries << ")";
  return success();
}

//===--- types -----------------------------------------------------------------------------------

LogicalResult WhileOp::retype() {
  for (Region *region : getRegions()) {
    setArgumentTypes(region->front(), bodyTypes(*this));
    if (failed(inferTypesAnew(region->front())))
      return failure();
  }
  for (auto [result, initial] : llvm::zip_equal(getResults(), getInitials()))
    result.setType(initial.getType());
  return success();
}

//===--- canonicalize: drop what nobody needs ----------------------------------------------------

/// Which carries are needed: results that are used, what the condition reads, and what those are
/// computed from in later steps.
static llvm::BitVector neededCarries(WhileOp loop) {
  size_t carries = loop.getInitials().size();
  llvm::BitVector needed = usedResults(loop);
  needed |=
      slice(argumentsNeededFor(loop.getCondition().front(), llvm::BitVector(1, true)), 0, carries);
  for (llvm::BitVector before(carries); before != needed;) {
    before = needed;
    needed |= slice(argumentsNeededFor(loop.getBody().front(), needed), 0, carries);
  }
  return needed;
}

namespace {
struct DropUnused : OpRewritePattern<WhileOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(WhileOp loop, PatternRewriter &rewriter) const override {
    if (loop.use_empty())
      return failure();
    size_t carries = loop.getInitials().size();
    Block &condition = loop.getCondition().front(), &body = loop.getBody().front();
    llvm::BitVector decides(1, true), yields = neededCarries(loop);
    llvm::BitVector arguments = argumentsNeededFor(condition, decides);
    arguments |= argumentsNeededFor(body, yields);
    for (size_t i = 0; i < carries; ++i)
      arguments[i] = yields[i];
    if (yields.all() && arguments.all())
      return failure();
    SmallVector<Value> initials = choose(loop.getInitials(), yields);
    auto smaller = WhileOp::create(
        rewriter, loop.getLoc(), ValueRange(initials).getTypes(), initials,
        choose(loop.getCaptures(), slice(arguments, carries, loop.getCaptures().size())),
        loop.getMaxStepsAttr());
    copyBody(rewriter, condition, smaller.getCondition(), arguments, decides);
    copyBody(rewriter, body, smaller.getBody(), arguments, yields);
    replaceKept(rewriter, loop, smaller, yields);
    return success();
  }
};
} // namespace

void WhileOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropUnused>(context);
}

//===--- decompose: scf.while --------------------------------------------------------------------

/// Whether the condition holds and, where steps are counted, there are steps left.
static Value writeCondition(WhileOp loop, ImplicitLocOpBuilder &builder, ValueRange arguments,
                            Value step) {
  SmallVector<Value> yielded = writeBody(builder, loop.getCondition().front(), arguments);
  Value holds = tensor::ExtractOp::create(builder, yielded.front());
  if (!step)
    return holds;
  Value limit = arith::ConstantIndexOp::create(builder, *loop.getMaxSteps());
  Value left = arith::CmpIOp::create(builder, arith::CmpIPredicate::slt, step, limit);
  return arith::AndIOp::create(builder, holds, left);
}

// The carries of scf.while are those of fw.while and, if there is a limit, the number of steps
// made.
MaybeValues WhileOp::decompose(ImplicitLocOpBuilder &builder) {
  size_t carries = getInitials().size();
  bool counted = getMaxSteps().has_value();
  SmallVector<Value> initials(getInitials());
  if (counted)
    initials.push_back(arith::ConstantIndexOp::create(builder, 0));
  auto withCaptures = [&](ValueRange state) {
    SmallVector<Value> arguments(state.take_front(carries));
    llvm::append_range(arguments, getCaptures());
    return arguments;
  };
  auto before = [&](OpBuilder &inner, Location location, ValueRange state) {
    ImplicitLocOpBuilder body(location, inner);
    Value step = counted ? state.back() : Value();
    scf::ConditionOp::create(body, writeCondition(*this, body, withCaptures(state), step), state);
  };
  auto after = [&](OpBuilder &inner, Location location, ValueRange state) {
    ImplicitLocOpBuilder body(location, inner);
    SmallVector<Value> next = writeBody(body, getBody().front(), withCaptures(state));
    if (counted)
      next.push_back(
          arith::AddIOp::create(body, state.back(), arith::ConstantIndexOp::create(body, 1)));
    scf::YieldOp::create(body, next);
  };
  auto lowered =
      scf::WhileOp::create(builder, ValueRange(initials).getTypes(), initials, before, after);
  return SmallVector<Value>(lowered.getResults().take_front(carries));
}

//===--- gradient: as a scan ---------------------------------------------------------------------

/// A body for one step of the scan: if the condition holds, the loop's body, else the same carries.
static void writeScanStep(WhileOp loop, ScanOp scan) {
  Block &block = scan.getBody().emplaceBlock();
  auto add = [&](TypeRange types) {
    block.addArguments(types, SmallVector<Location>(types.size(), loop.getLoc()));
  };
  add(loop.getInitials().getTypes());
  add(RankedTensorType::get({}, IntegerType::get(loop.getContext(), 1)));
  add(loop.getCaptures().getTypes());
  size_t carries = loop.getInitials().size();
  SmallVector<Value> arguments(block.getArguments());
  arguments.erase(arguments.begin() + carries);

  auto builder = ImplicitLocOpBuilder::atBlockEnd(loop.getLoc(), &block);
  Value holds = writeBody(builder, loop.getCondition().front(), arguments).front();
  auto choice = IfOp::create(builder, loop.getInitials().getTypes(), holds, arguments);
  IRMapping mapping;
  loop.getBody().cloneInto(&choice.getThen(), mapping);
  Block &unchanged = choice.getOtherwise().emplaceBlock();
  TypeRange types = ValueRange(arguments).getTypes();
  unchanged.addArguments(types, SmallVector<Location>(types.size(), loop.getLoc()));
  auto otherwise = ImplicitLocOpBuilder::atBlockEnd(loop.getLoc(), &unchanged);
  YieldOp::create(otherwise, ValueRange(unchanged.getArguments().take_front(carries)));
  YieldOp::create(builder, choice.getResults());
}

/// The loop as a scan over max_steps steps. It takes the loop's place.
static ScanOp asScan(WhileOp loop, ImplicitLocOpBuilder &builder) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(loop);
  // Nothing is read from the sequence: it only says how many steps there are.
  auto type = RankedTensorType::get({int64_t(*loop.getMaxSteps())}, builder.getI1Type());
  Value steps = ConstantOp::create(builder, DenseElementsAttr::get(type, true));
  auto scan = ScanOp::create(builder, loop.getResultTypes(), TypeRange(), loop.getInitials(), steps,
                             loop.getCaptures(), /*reverse=*/false);
  writeScanStep(loop, scan);
  loop.replaceAllUsesWith(scan);
  return scan;
}

MaybeValues WhileOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  if (!getMaxSteps())
    return emitCannotDifferentiate(*this)
           << "fw.while needs max_steps, since what each step computes is stored";
  MaybeValues gradients = asScan(*this, builder).gradient(builder, cotangents);
  // The scan's one sequence is not an operand of the loop.
  if (succeeded(gradients))
    gradients->erase(gradients->begin() + getInitials().size());
  return gradients;
}

} // namespace formwork
