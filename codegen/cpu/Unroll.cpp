// fw-cpu-unroll: unrolls the loops of tiles as their marks say, for LLVM to keep arrays of
// registers in registers.
//
// LLVM sees such an array only if no index varies and it is allocated at the function's beginning.
#include "codegen/cpu/Passes.h"
#include "codegen/kernel/Writer.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/Utils/Utils.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_CPUUNROLL
#include "codegen/cpu/Passes.h.inc"

static LogicalResult unroll(scf::ForOp loop, int64_t together) {
  loop->removeDiscardableAttr(unrollAttr);
  std::optional<APInt> trips = loop.getStaticTripCount();
  if (trips && trips->sle(together))
    return loopUnrollFull(loop);
  return loopUnrollByFactor(loop, together);
}

namespace {
struct CPUUnroll : impl::CPUUnrollBase<CPUUnroll> {
  void runOnOperation() override {
    // Inner loops first: what they become is repeated with the outer ones.
    SmallVector<std::pair<scf::ForOp, int64_t>> loops;
    getOperation().walk([&](scf::ForOp loop) {
      if (auto together = loop->getAttrOfType<IntegerAttr>(unrollAttr))
        loops.push_back({loop, together.getInt()});
    });
    for (auto [loop, together] : loops)
      if (failed(unroll(loop, together)))
        return loop.emitError("cannot be unrolled"), signalPassFailure();

    Block &entry = getOperation().front();
    SmallVector<memref::AllocaOp> arrays;
    getOperation().walk([&](memref::AllocaOp array) { arrays.push_back(array); });
    for (memref::AllocaOp array : arrays)
      if (array->getBlock() != &entry)
        array->moveBefore(&entry, entry.begin());
  }
};
} // namespace

} // namespace formwork
