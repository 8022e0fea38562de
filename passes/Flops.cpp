// Counts by what the loops of linalg ops span and what their bodies compute.
#include "passes/Flops.h"

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

static std::optional<int64_t> flopsOf(linalg::LinalgOp op) {
  int64_t count = llvm::count_if(*op.getBlock(), isArithmetic);
  for (int64_t range : op.getStaticLoopRanges()) {
    if (ShapedType::isDynamic(range) && count)
      return std::nullopt;
    count *= range;
  }
  return count;
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
