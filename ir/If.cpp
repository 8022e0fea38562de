// fw.if: one of two bodies over the same captures. Its gradient is an `if` on the same predicate,
// each of whose bodies computes the forward body again and goes backwards through it.
#include "ir/Backpropagation.h"
#include "ir/Bodies.h"
#include "ir/Retyping.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace formwork {

//===--- verify ----------------------------------------------------------------------------------

LogicalResult IfOp::verify() {
  for (auto [name, region] : {std::pair("then", &getThen()), std::pair("else", &getOtherwise())}) {
    Block &body = region->front();
    if (body.getArgumentTypes() != getCaptures().getTypes())
      return emitOpError() << name << " takes (" << body.getArgumentTypes() << "), not ("
                           << getCaptures().getTypes() << ")";
    if (body.getTerminator()->getOperandTypes() != getResultTypes())
      return emitOpError() << name << " yields (" << body.getTerminator()->getOperandTypes()
                           << "), not (" << getResultTypes() << ")";
  }
  return success();
}

//===--- types -----------------------------------------------------------------------------------

LogicalResult IfOp::retype() {
  for (Region *region : getRegions()) {
    setArgumentTypes(region->front(), getCaptures().getTypes());
    if (failed(inferTypesAnew(region->front())))
      return failure();
  }
  TypeRange then = getThen().front().getTerminator()->getOperandTypes(),
            otherwise = getOtherwise().front().getTerminator()->getOperandTypes();
  if (then != otherwise)
    return emitError() << "one branch gives (" << then << "), the other (" << otherwise
                       << "): they must agree";
  for (auto [result, type] : llvm::zip_equal(getResults(), then))
    result.setType(type);
  return success();
}

//===--- canonicalize: drop what nobody needs ----------------------------------------------------

namespace {
struct DropUnused : OpRewritePattern<IfOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(IfOp op, PatternRewriter &rewriter) const override {
    llvm::BitVector results = usedResults(op);
    llvm::BitVector captures = argumentsNeededFor(op.getThen().front(), results);
    captures |= argumentsNeededFor(op.getOtherwise().front(), results);
    if (results.none() || (results.all() && captures.all()))
      return failure();
    SmallVector<Type> types;
    for (unsigned i : results.set_bits())
      types.push_back(op.getResult(i).getType());
    auto smaller = IfOp::create(rewriter, op.getLoc(), types, op.getPredicate(),
                                choose(op.getCaptures(), captures));
    copyBody(rewriter, op.getThen().front(), smaller.getThen(), captures, results);
    copyBody(rewriter, op.getOtherwise().front(), smaller.getOtherwise(), captures, results);
    replaceKept(rewriter, op, smaller, results);
    return success();
  }
};
} // namespace

void IfOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<DropUnused>(context);
}

//===--- decompose: scf.if -----------------------------------------------------------------------

MaybeValues IfOp::decompose(ImplicitLocOpBuilder &builder) {
  // Whichever branch runs computes the results into the same memory.
  SmallVector<Value> destinations;
  for (auto [i, result] : llvm::enumerate(getResults()))
    destinations.push_back(
        memoryOfShape(builder, emptyLikeYielded(builder, getThen().front(), getCaptures(), i,
                                                cast<RankedTensorType>(result.getType()))));
  Value chosen = tensor::ExtractOp::create(builder, getPredicate());
  auto branch = [&](Region &region) {
    return [&](OpBuilder &inner, Location location) {
      ImplicitLocOpBuilder body(location, inner);
      SmallVector<Value> values = writeBody(body, region.front(), getCaptures());
      for (auto [value, destination] : llvm::zip_equal(values, destinations))
        value = inMemoryOf(body, value, destination);
      scf::YieldOp::create(body, values);
    };
  };
  auto lowered = scf::IfOp::create(builder, chosen, branch(getThen()), branch(getOtherwise()));
  return SmallVector<Value>(lowered.getResults());
}

//===--- gradient --------------------------------------------------------------------------------

/// Fills `region` with the way back through `body`: takes captures and cotangents, yields the
/// gradients of the floating-point captures.
static LogicalResult writeBackward(Block &body, Region &region, IfOp backward, size_t captures) {
  Block &block = region.emplaceBlock();
  TypeRange types = backward.getCaptures().getTypes();
  block.addArguments(types, SmallVector<Location>(types.size(), backward.getLoc()));
  ValueRange arguments = block.getArguments();
  SmallVector<Value> forward(arguments.take_front(captures)), seeds(arguments.drop_front(captures));

  auto builder = ImplicitLocOpBuilder::atBlockEnd(backward.getLoc(), &block);
  SmallVector<Value> yielded = writeBody(builder, body, forward);
  SmallVector<Value> sources = choose(forward, floats(forward));
  MaybeValues gradients = backpropagate(builder, choose(yielded, floats(yielded)), seeds, sources);
  if (failed(gradients))
    return failure();
  for (auto [gradient, source] : llvm::zip_equal(*gradients, sources))
    if (!gradient)
      gradient = constantLike(builder, 0, source);
  YieldOp::create(builder, *gradients);
  return success();
}

MaybeValues IfOp::gradient(ImplicitLocOpBuilder &builder, ValueRange cotangents) {
  SmallVector<Value> captures(getCaptures());
  llvm::append_range(captures, choose(cotangents, floats(getResults())));
  llvm::BitVector differentiated = floats(getCaptures());
  SmallVector<Value> sources = choose(getCaptures(), differentiated);
  auto backward = IfOp::create(builder, ValueRange(sources).getTypes(), getPredicate(), captures);
  for (auto [forward, back] : llvm::zip_equal(getRegions(), backward->getRegions()))
    if (failed(writeBackward(forward->front(), back, backward, getCaptures().size())))
      return failure();

  SmallVector<Value> gradients(getNumOperands());
  for (auto [gradient, capture] : llvm::zip_equal(backward.getResults(), differentiated.set_bits()))
    gradients[1 + capture] = gradient;
  return gradients;
}

} // namespace formwork
