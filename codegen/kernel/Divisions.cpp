// fw-mark-divisions: finds divisors of float32 that are a square root and a constant, as in Adam's
// step: neither small nor, unless infinite, large.
//
// Roots and quotients of vectors wait for the same slow unit of the machine, which is the bound of
// such kernels. The reciprocal of a number between such bounds takes eight instructions elsewhere,
// without the care that zeros and denormals need. Beside exponentials, as in a sigmoid, that unit
// is idle, and dividing is as fast.
#include "codegen/kernel/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_MARKDIVISIONS
#include "codegen/kernel/Passes.h.inc"

static bool isBounded(arith::DivFOp division) {
  auto sum = division.getRhs().getDefiningOp<arith::AddFOp>();
  if (!sum || !getElementTypeOrSelf(division.getType()).isF32())
    return false;
  auto isRootAnd = [](Value root, Value constant) {
    llvm::APFloat number(0.0f);
    // Epsilons of optimizers are larger. A root is at most 2^64, or infinite.
    return root.getDefiningOp<math::SqrtOp>() && matchPattern(constant, m_ConstantFloat(&number)) &&
           number.convertToFloat() >= 0x1p-64f && number.convertToFloat() <= 0x1p64f;
  };
  return isRootAnd(sum.getLhs(), sum.getRhs()) || isRootAnd(sum.getRhs(), sum.getLhs());
}

namespace {
struct MarkDivisions : impl::MarkDivisionsBase<MarkDivisions> {
  void runOnOperation() override {
    getOperation()->walk([](arith::DivFOp division) {
      if (isBounded(division))
        division->setDiscardableAttr("fw.bounded", UnitAttr::get(division.getContext()));
    });
  }
};
} // namespace

} // namespace formwork
