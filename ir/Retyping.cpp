// Asks each op for its result types again. Knows no op by name; an op that neither infers its types
// nor has a body (a constant) keeps them.
#include "ir/Retyping.h"

using namespace mlir;

namespace formwork {

LogicalResult inferTypesAnew(Operation *op) {
  if (auto outer = dyn_cast<BodyOp>(op))
    return outer.retype();
  auto inference = dyn_cast<InferTypeOpInterface>(op);
  if (!inference)
    return success();
  SmallVector<Type> types;
  if (failed(inference.inferReturnTypes(op->getContext(), op->getLoc(), op->getOperands(),
                                        op->getDiscardableAttrDictionary(),
                                        op->getPropertiesStorage(), op->getRegions(), types)))
    return failure();
  for (auto [result, type] : llvm::zip_equal(op->getResults(), types))
    result.setType(type);
  return success();
}

LogicalResult inferTypesAnew(Block &block) {
  for (Operation &op : block)
    if (failed(inferTypesAnew(&op)))
      return failure();
  return success();
}

LogicalResult retypeFunction(func::FuncOp function, TypeRange arguments) {
  for (auto [argument, type] : llvm::zip(function.getArguments(), arguments))
    argument.setType(type);
  if (failed(inferTypesAnew(function.front())))
    return failure();
  Operation *terminator = function.front().getTerminator();
  function.setType(FunctionType::get(function.getContext(), function.front().getArgumentTypes(),
                                     terminator->getOperandTypes()));
  return success();
}

} // namespace formwork
