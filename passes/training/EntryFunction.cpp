// Builds one public function; see the header.
#include "passes/training/EntryFunction.h"

using namespace mlir;

namespace formwork {

DictionaryAttr Buffer::attributes() const {
  Builder builder(type.getContext());
  SmallVector<int64_t> all = symbols;
  all.resize(type.getRank(), -1);
  SmallVector<NamedAttribute> list = {
      builder.getNamedAttr("fw.name", builder.getStringAttr(name)),
      builder.getNamedAttr("fw.role", builder.getStringAttr(role)),
      builder.getNamedAttr("fw.symbols", builder.getDenseI64ArrayAttr(all))};
  if (limit)
    list.push_back(builder.getNamedAttr("fw.limit", builder.getI64IntegerAttr(limit)));
  return builder.getDictionaryAttr(list);
}

EntryFunction::EntryFunction(ModuleOp module, StringRef name)
    : ops(module.getLoc(), module.getContext()) {
  ops.setInsertionPointToEnd(module.getBody());
  function = func::FuncOp::create(ops, name, ops.getFunctionType({}, {}));
  function->setAttr("fw.entry", ops.getStringAttr(name));
  ops.setInsertionPointToStart(function.addEntryBlock());
}

Value EntryFunction::addArgument(Type type, DictionaryAttr attributes) {
  unsigned index = function.getNumArguments();
  (void)function.insertArgument(index, type, attributes, function.getLoc());
  return function.getArgument(index);
}

Value EntryFunction::addArgument(const Buffer &buffer) {
  return addArgument(buffer.type, buffer.attributes());
}

void EntryFunction::addResult(Value value, const Buffer &buffer) {
  results.push_back(value);
  resultAttributes.push_back(buffer.attributes());
}

void EntryFunction::finish() {
  ops.setLoc(function.getLoc());
  func::ReturnOp::create(ops, results);
  function.setType(
      ops.getFunctionType(function.getArgumentTypes(), ValueRange(results).getTypes()));
  function.setResAttrsAttr(ops.getArrayAttr(resultAttributes));
}

void EntryFunction::enter(StringRef part) {
  ops.setLoc(NameLoc::get(ops.getStringAttr(part), function.getLoc()));
}

Value EntryFunction::read(VariableOp variable) {
  return ReadOp::create(ops, variable.getType(), variable.getSymName());
}

void EntryFunction::assign(VariableOp variable, Value value) {
  AssignOp::create(ops, variable.getSymName(), value);
}

} // namespace formwork
