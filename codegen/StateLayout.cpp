// Offsets of variables: module order, each at the next multiple of the alignment.
#include "codegen/StateLayout.h"

#include "ir/Variables.h"

using namespace mlir;

namespace formwork {

int64_t elementBytes(Type element) { return llvm::divideCeil(element.getIntOrFloatBitWidth(), 8); }

static std::string stringAttribute(VariableOp variable, StringRef name) {
  auto value = variable->getAttrOfType<StringAttr>(name);
  return value ? value.getValue().str() : "";
}

StateLayout::StateLayout(ModuleOp module) : mutableState(updatesVariables(module)) {
  for (auto op : module.getOps<VariableOp>()) {
    StateVariable variable;
    variable.name = op.getSymName().str();
    variable.type = cast<RankedTensorType>(op.getType());
    variable.panel = op.getPanel().value_or(0);
    variable.role = stringAttribute(op, "role");
    variable.path = stringAttribute(op, "path");
    variable.slotOf = op.getSlotOf().value_or("").str();
    variable.trainable = op.getTrainable();
    variable.offset = bytes;
    bytes += llvm::alignTo(
        variable.type.getNumElements() * elementBytes(variable.type.getElementType()), alignment);
    byName[variable.name] = all.size();
    all.push_back(std::move(variable));
  }
}

const StateVariable *StateLayout::find(StringRef name) const {
  auto found = byName.find(name);
  return found == byName.end() ? nullptr : &all[found->second];
}

} // namespace formwork
