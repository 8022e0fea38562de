// fw-cpu-unroll: writes several steps of long loops one after another, and leaves it to LLVM to
// take short loops apart, most of all those over a tile's rows: a row's ops are then lowered once.
//
// LLVM keeps an array in registers only if no index varies and it is allocated at the function's
// beginning.
#include "codegen/cpu/Passes.h"
#include "codegen/kernel/Writer.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/Utils/Utils.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_CPUUNROLL
#include "codegen/cpu/Passes.h.inc"

/// As LLVM's loop metadata says it.
static LLVM::LoopAnnotationAttr unrolledAsAWhole(MLIRContext *context) {
  Builder builder(context);
  auto unroll = LLVM::LoopUnrollAttr::get(context, /*disable=*/builder.getBoolAttr(false),
                                          /*count=*/{}, /*runtimeDisable=*/{},
                                          /*full=*/builder.getBoolAttr(true), {}, {}, {});
  return LLVM::LoopAnnotationAttr::get(context, {}, {}, {}, unroll, {}, {}, {}, {}, {}, {}, {}, {},
                                       {}, {}, {});
}

static void unroll(scf::ForOp loop, int64_t together) {
  std::optional<APInt> trips = loop.getStaticTripCount();
  if (trips && trips->sle(together))
    loop->setDiscardableAttr("loop_annotation", unrolledAsAWhole(loop.getContext()));
  else
    (void)loopUnrollByFactor(loop, together);
}

namespace {
struct CPUUnroll : impl::CPUUnrollBase<CPUUnroll> {
  void runOnOperation() override {
    Block &entry = getOperation().front();
    getOperation().walk([&](memref::AllocaOp array) {
      if (array->getBlock() != &entry)
        array->moveBefore(&entry, entry.begin());
    });
    // From the inside to the outside.
    getOperation().walk([&](scf::ForOp loop) {
      if (auto together = loop->getAttrOfType<IntegerAttr>(unrollAttr))
        unroll(loop, together.getInt());
    });
  }
};
} // namespace

} // namespace formwork
