// Counts by what the loops of linalg ops span and what their bodies compute.
#include "passes/Flops.h"

#include "ir/ZeroBorder.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

namespace formwork {

/// Whether an op of a body computes with floating point numbers.
static bool isArithmetic(Operation &op) {
  if (op.getNumResults() != 1 || !isa<FloatType>(op.getResult(0).getType()))
    return false;
  return isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp, arith::MaximumFOp,
             arith::MinimumFOp, arith::MaxNumFOp, arith::MinNumFOp, arith::NegFOp>(op) ||
         isa<math::MathDialect>(op.getDialect());
}

/// How many of the places that `index` takes are between `from` and `to`, and how many there are.
static std::pair<int64_t, int64_t> countInside(AffineExpr index, ArrayRef<int64_t> ranges,
                                               int64_t from, int64_t to) {
  AffineMap map = AffineMap::get(ranges.size(), 0, index);
  int64_t inside = 0, all = 1;
  for (auto [dim, range] : llvm::enumerate(ranges))
    all *= map.isFunctionOfDim(dim) ? range : 1;
  for (int64_t place = 0; place < all; ++place) {
    SmallVector<int64_t> at(ranges.size(), 0);
    int64_t rest = place;
    for (auto [dim, range] : llvm::enumerate(ranges))
      if (map.isFunctionOfDim(dim)) {
        at[dim] = rest % range;
        rest /= range;
      }
    int64_t position = map.compose(at).front();
    inside += position >= from && position < to;
  }
  return {inside, all};
}

/// Takes off products with the zeros that are known to surround an operand.
static int64_t withoutBorders(linalg::LinalgOp op, int64_t count) {
  auto function = op->getParentOfType<func::FuncOp>();
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  for (OpOperand *operand : op.getDpsInputOperands()) {
    DenseI64ArrayAttr border = zeroBorderOf(function, operand->get());
    auto shape = cast<ShapedType>(operand->get().getType()).getShape();
    auto indices = op.getMatchingIndexingMap(operand).getResults();
    for (size_t axis = 0; border && axis < shape.size(); ++axis)
      if (int64_t low = border[axis], high = border[shape.size() + axis]; low || high) {
        auto [inside, all] = countInside(indices[axis], ranges, low, shape[axis] - high);
        count = all ? count / all * inside : 0;
      }
  }
  return count;
}

static std::optional<int64_t> flopsOf(linalg::LinalgOp op) {
  int64_t count = llvm::count_if(*op.getBlock(), isArithmetic);
  for (int64_t range : op.getStaticLoopRanges()) {
    if (ShapedType::isDynamic(range) && count)
      return std::nullopt;
    count *= range;
  }
  return op.getNumReductionLoops() && count ? withoutBorders(op, count) : count;
}

/// How often an op runs in one call of its function; a loop of unknown length is not known.
static std::optional<int64_t> repetitions(Operation *op) {
  int64_t count = 1;
  for (auto loop = op->getParentOfType<scf::ForOp>(); loop;
       loop = loop->getParentOfType<scf::ForOp>()) {
    auto trips = loop.getStaticTripCount();
    if (!trips)
      return std::nullopt;
    count *= trips->getSExtValue();
  }
  return op->getParentOfType<scf::WhileOp>() ? std::nullopt : std::optional(count);
}

std::optional<int64_t> countFlops(func::FuncOp function) {
  std::optional<int64_t> total = 0;
  function.walk([&](linalg::LinalgOp op) {
    auto once = flopsOf(op), times = repetitions(op);
    total = total && once && times ? std::optional(*total + *once * *times) : std::nullopt;
  });
  return total;
}

} // namespace formwork
