// What bufferization leaves is made ready for planning: copies between strided buffers become
// kernels, and kernels learn which of their operands are strided.
#include "passes/Outline.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_SETTLEBUFFERS
#include "passes/Passes.h.inc"

/// Whether elements lie in row-major order without gaps, wherever they begin. A `?` may only be the
/// first dimension: the strides then do not depend on it.
static bool isDense(MemRefType type) {
  SmallVector<int64_t> strides;
  int64_t offset, expected = 1;
  if (failed(type.getStridesAndOffset(strides, offset)))
    return false;
  if (type.getLayout().isIdentity())
    return true;
  for (int64_t i = type.getRank() - 1; i >= 0; --i) {
    // A dimension of one element is never stepped along.
    if (type.getDimSize(i) != 1 && strides[i] != expected)
      return false;
    if (type.isDynamicDim(i))
      return i == 0 ||
             llvm::all_of(type.getShape().take_front(i), [](int64_t size) { return size == 1; });
    expected *= type.getDimSize(i);
  }
  return true;
}

static RankedTensorType tensorOf(MemRefType type) {
  return RankedTensorType::get(type.getShape(), type.getElementType());
}

/// Launches a kernel that copies, in place of memref.copy.
static void launchCopy(memref::CopyOp copy, ModuleOp kernels) {
  auto from = cast<MemRefType>(copy.getSource().getType());
  auto to = cast<MemRefType>(copy.getTarget().getType());
  OpBuilder builder(copy);
  SmallVector<Type> types = {tensorOf(from), tensorOf(to)};
  auto kernel =
      func::FuncOp::create(copy.getLoc(), "copy", builder.getFunctionType(types, tensorOf(to)));
  kernel.setPrivate();
  kernel->setAttr("fw.kernel", builder.getStringAttr("pointwise"));
  llvm::SetVector<StringRef> layers;
  collectLayers(copy.getLoc(), layers);
  kernel->setAttr("fw.layers", builder.getStrArrayAttr(layers.getArrayRef()));
  SymbolTable(kernels).insert(kernel);
  auto body = OpBuilder::atBlockEnd(kernel.addEntryBlock());
  SmallVector<AffineMap> maps(2, builder.getMultiDimIdentityMap(to.getRank()));
  SmallVector<utils::IteratorType> loops(to.getRank(), utils::IteratorType::parallel);
  auto yieldInput = [](OpBuilder &inner, Location location, ValueRange elements) {
    linalg::YieldOp::create(inner, location, elements[0]);
  };
  auto moved = linalg::GenericOp::create(body, copy.getLoc(), tensorOf(to), kernel.getArgument(0),
                                         kernel.getArgument(1), maps, loops, yieldInput);
  func::ReturnOp::create(body, copy.getLoc(), moved.getResults());
  auto reference = SymbolRefAttr::get(kernels.getSymNameAttr(), {FlatSymbolRefAttr::get(kernel)});
  LaunchOp::create(builder, copy.getLoc(), TypeRange(), reference, copy.getSource(),
                   copy.getTarget(), ArrayRef<bool>{true});
  copy.erase();
}

/// Tells the kernel which of its arguments have gaps; dense ones are given from their first
/// element.
static void tellLayouts(LaunchOp launch, SymbolTable &kernels) {
  auto kernel = kernels.lookup<func::FuncOp>(launch.getKernelName());
  for (auto [i, operand] : llvm::enumerate(launch.getOperands()))
    if (auto type = dyn_cast<MemRefType>(operand.getType()); type && !isDense(type))
      kernel.setArgAttr(i, bufferization::BufferizationDialect::kBufferLayoutAttrName,
                        type.getLayout());
}

namespace {
struct SettleBuffers : impl::SettleBuffersBase<SettleBuffers> {
  void runOnOperation() override {
    ModuleOp kernels = kernelsOf(getOperation());
    for (auto function : getOperation().getOps<func::FuncOp>())
      function.walk([&](memref::CopyOp copy) {
        if (copy.getSource() == copy.getTarget())
          copy.erase();
        else if (!isDense(cast<MemRefType>(copy.getSource().getType())) ||
                 !isDense(cast<MemRefType>(copy.getTarget().getType())))
          launchCopy(copy, kernels);
      });
    SymbolTable symbols(kernels);
    for (auto function : getOperation().getOps<func::FuncOp>())
      function.walk([&](LaunchOp launch) { tellLayouts(launch, symbols); });
  }
};
} // namespace

} // namespace formwork
