// Writes to each launch what it computes and moves, for who times it.
//
//   fw.flops    as countFlops has it
//   fw.bytes    of its buffers, each read or written whole, or both
//   fw.layers   those of its kernel
//
// What depends on sizes that are not known yet is left out.
#include "passes/Flops.h"
#include "passes/Passes.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_COUNTCOSTS
#include "passes/Passes.h.inc"

static std::optional<int64_t> bytesOf(Type type) {
  auto buffer = dyn_cast<MemRefType>(type);
  if (!buffer)
    return 0;
  if (!buffer.hasStaticShape())
    return std::nullopt;
  return buffer.getNumElements() * llvm::divideCeil(buffer.getElementTypeBitWidth(), 8);
}

/// What it reads and what it writes; an output that is not overwritten is both.
static std::optional<int64_t> bytesOf(LaunchOp launch) {
  int64_t sum = 0;
  auto add = [&](Type type, int64_t times) {
    auto bytes = bytesOf(type);
    sum += times * bytes.value_or(0);
    return bytes.has_value();
  };
  for (Type input : launch.getInputs().getTypes())
    if (!add(input, 1))
      return std::nullopt;
  for (auto [output, overwritten] :
       llvm::zip_equal(launch.getOutputs().getTypes(), launch.getOverwrites()))
    if (!add(output, overwritten ? 1 : 2))
      return std::nullopt;
  return sum;
}

namespace {
struct CountCosts : impl::CountCostsBase<CountCosts> {
  void runOnOperation() override {
    SymbolTableCollection tables;
    Builder builder(&getContext());
    getOperation().walk([&](LaunchOp launch) {
      auto kernel = tables.lookupNearestSymbolFrom<func::FuncOp>(launch, launch.getKernelAttr());
      if (auto layers = kernel->getAttrOfType<ArrayAttr>("fw.layers"))
        launch->setAttr("fw.layers", layers);
      if (auto flops = countFlops(kernel))
        launch->setAttr("fw.flops", builder.getI64IntegerAttr(*flops));
      if (auto bytes = bytesOf(launch))
        launch->setAttr("fw.bytes", builder.getI64IntegerAttr(*bytes));
    });
  }
};
} // namespace

} // namespace formwork
