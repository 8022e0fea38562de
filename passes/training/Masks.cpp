// The masks of a model's outputs; see the header.
#include "passes/training/Masks.h"

using namespace mlir;

namespace formwork {

bool isMask(func::FuncOp function, unsigned index) {
  auto role = function.getResultAttrOfType<StringAttr>(index, "fw.role");
  return role && role.getValue() == "mask";
}

void dropMasks(func::FuncOp function) {
  llvm::BitVector masks(function.getNumResults());
  for (unsigned i = 0; i < masks.size(); ++i)
    masks[i] = isMask(function, i);
  function.front().getTerminator()->eraseOperands(masks);
  (void)function.eraseResults(masks);
}

} // namespace formwork
