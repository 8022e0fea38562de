// fw-settle-constants: once kernels are formed, what they are given is a constant like any other.
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_SETTLECONSTANTS
#include "passes/Passes.h.inc"

namespace {
struct SettleConstants : impl::SettleConstantsBase<SettleConstants> {
  void runOnOperation() override {
    getOperation().walk([](PassedConstantOp op) {
      IRRewriter rewriter(op);
      rewriter.replaceOpWithNewOp<arith::ConstantOp>(op, op.getValueAttr());
    });
  }
};
} // namespace

} // namespace formwork
