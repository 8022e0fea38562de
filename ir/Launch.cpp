// fw.launch: what it touches, and that its kernel is there.
#include "ir/Dialect.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;

namespace formwork {

LogicalResult LaunchOp::verify() {
  if (getOverwrites().size() != getOutputs().size())
    return emitOpError() << "has " << getOutputs().size() << " outputs, but says of "
                         << getOverwrites().size() << " whether they are overwritten";
  return success();
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel = symbols.lookupNearestSymbolFrom<FunctionOpInterface>(*this, getKernelAttr());
  if (!kernel)
    return emitOpError() << "runs " << getKernel() << ", which is not a function";
  // Once scheduled, a kernel takes a range of chunks and buffers, and types differ by design.
  bool scheduled = llvm::none_of(kernel.getArgumentTypes(), llvm::IsaPred<TensorType>);
  if (!scheduled && kernel.getNumArguments() != getNumOperands())
    return emitOpError() << "gives " << getNumOperands() << " operands to " << getKernel()
                         << ", which takes " << kernel.getNumArguments();
  return success();
}

void LaunchOp::getEffects(SmallVectorImpl<MemoryEffects::EffectInstance> &effects) {
  auto add = [&](OpOperand &operand, MemoryEffects::Effect *effect) {
    if (isa<BaseMemRefType>(operand.get().getType()))
      effects.emplace_back(effect, &operand);
  };
  for (OpOperand &input : getInputsMutable())
    add(input, MemoryEffects::Read::get());
  for (auto [output, overwrites] : llvm::zip_equal(getOutputsMutable(), getOverwrites())) {
    if (!overwrites)
      add(output, MemoryEffects::Read::get());
    add(output, MemoryEffects::Write::get());
  }
}

LogicalResult LaunchOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  for (auto [value, output] : llvm::zip_equal(getValues(), getOutputs()))
    shapes.push_back(tensor::getMixedSizes(builder, getLoc(), output));
  return success();
}

} // namespace formwork
