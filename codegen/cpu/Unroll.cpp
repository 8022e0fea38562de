// fw-cpu-unroll: leaves the unrolling of tiles' loops to LLVM, which is to keep arrays of registers
// in registers.
//
// LLVM sees such an array only if no index varies and it is allocated at the function's beginning.
#include "codegen/cpu/Passes.h"
#include "codegen/kernel/Writer.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_CPUUNROLL
#include "codegen/cpu/Passes.h.inc"

/// As LLVM's loop metadata says it: the whole loop, or so many iterations at once.
static LLVM::LoopAnnotationAttr annotation(scf::ForOp loop, int64_t together) {
  Builder builder(loop);
  std::optional<APInt> trips = loop.getStaticTripCount();
  bool full = trips && trips->sle(together);
  auto unroll = LLVM::LoopUnrollAttr::get(
      loop.getContext(), /*disable=*/builder.getBoolAttr(false),
      full ? IntegerAttr() : builder.getI32IntegerAttr(together), /*runtimeDisable=*/{},
      full ? builder.getBoolAttr(true) : BoolAttr(), {}, {}, {});
  return LLVM::LoopAnnotationAttr::get(loop.getContext(), {}, {}, {}, unroll, {}, {}, {}, {}, {},
                                       {}, {}, {}, {}, {}, {});
}

namespace {
struct CPUUnroll : impl::CPUUnrollBase<CPUUnroll> {
  void runOnOperation() override {
    Block &entry = getOperation().front();
    SmallVector<memref::AllocaOp> arrays;
    getOperation().walk([&](Operation *op) {
      if (auto together = op->getAttrOfType<IntegerAttr>(unrollAttr))
        op->setDiscardableAttr("loop_annotation",
                               annotation(cast<scf::ForOp>(op), together.getInt()));
      if (auto array = dyn_cast<memref::AllocaOp>(op); array && array->getBlock() != &entry)
        arrays.push_back(array);
    });
    for (memref::AllocaOp array : arrays)
      array->moveBefore(&entry, entry.begin());
  }
};
} // namespace

} // namespace formwork
