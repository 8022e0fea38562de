// Translates roles and types into those of the interface, and gives each `?` a name.
#include "codegen/package/Describe.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;

namespace formwork::package {

static formwork_role roleOf(StringRef role) {
  return llvm::StringSwitch<formwork_role>(role)
      .Case("input", FORMWORK_INPUT)
      .Case("target", FORMWORK_TARGET)
      .Case("sample_weight", FORMWORK_SAMPLE_WEIGHT)
      .Case("seed", FORMWORK_SEED)
      .Case("output", FORMWORK_OUTPUT)
      .Case("loss", FORMWORK_LOSS)
      .Case("metric", FORMWORK_METRIC)
      .Case("gradient", FORMWORK_GRADIENT)
      .Case("cotangent", FORMWORK_COTANGENT)
      .Case("weight", FORMWORK_WEIGHT)
      .Case("slot", FORMWORK_SLOT)
      .Case("rng", FORMWORK_RNG)
      .Case("hyperparameter", FORMWORK_HYPERPARAMETER)
      .Case("iterations", FORMWORK_ITERATIONS)
      .Case("metric_state", FORMWORK_METRIC_STATE)
      .Case("derived", FORMWORK_DERIVED);
}

formwork_dtype dtypeOf(Type type) {
  if (type.isF32())
    return FORMWORK_F32;
  if (type.isF64())
    return FORMWORK_F64;
  if (type.isInteger(64))
    return FORMWORK_I64;
  if (type.isInteger(32))
    return FORMWORK_I32;
  assert(type.isInteger(1) && "no type of the interface");
  return FORMWORK_BOOL;
}

static std::vector<int64_t> vectorOf(ArrayRef<int64_t> sizes) { return sizes.vec(); }

static Tensor tensorOf(const EntryBuffer &buffer) {
  return {buffer.name,  roleOf(buffer.role), dtypeOf(buffer.element), vectorOf(buffer.shape),
          buffer.limit, buffer.written};
}

/// "batch" for symbol 0, "tokens_dim1" for one that is first seen in tokens.
static std::vector<std::string> nameDims(const std::vector<Tensor> &buffers, int64_t count) {
  std::vector<std::string> names(count);
  for (const Tensor &buffer : buffers)
    for (auto [axis, size] : llvm::enumerate(buffer.shape))
      if (size < 0 && names[-1 - size].empty())
        names[-1 - size] = size == -1 ? "batch" : buffer.name + "_dim" + std::to_string(axis);
  for (auto [symbol, name] : llvm::enumerate(names))
    if (name.empty())
      name = "dim" + std::to_string(symbol);
  return names;
}

static Concrete concreteOf(const ConcreteEntry &compiled) {
  Concrete concrete;
  if (!compiled.general)
    concrete.dims = vectorOf(compiled.dims);
  concrete.run = compiled.symbol;
  concrete.arenaSize = compiled.arenaSymbol;
  concrete.arenaBytes = compiled.arenaBytes;

  return concrete;
}

static Entry entryOf(const formwork::Entry &compiled) {
  Entry entry;
  entry.name = compiled.name;
  for (const EntryBuffer &buffer : compiled.buffers)
    entry.buffers.push_back(tensorOf(buffer));
  entry.dims = nameDims(entry.buffers, compiled.dimCount);
  for (const ConcreteEntry &concrete : compiled.concretes)
    entry.concretes.push_back(concreteOf(concrete));
  return entry;
}

static Variable variableOf(const StateVariable &declared) {
  Variable variable;
  variable.name = declared.name;
  variable.path = declared.path;
  variable.role = roleOf(declared.role);
  variable.dtype = dtypeOf(declared.type.getElementType());
  variable.trainable = declared.trainable;
  variable.shape = vectorOf(declared.type.getShape());
  variable.offset = declared.offset;
  variable.panel = declared.panel;
  variable.slotOf = declared.slotOf;
  return variable;
}

Description describe(ArrayRef<formwork::Entry> entries, StringRef target, const StateLayout &layout,
                     StringRef name) {
  Description description;
  description.name = name.str();
  description.target = target.str();
  (layout.isMutable() ? description.stateSize : description.constantsSize) = layout.size();
  for (const StateVariable &variable : layout.variables())
    description.variables.push_back(variableOf(variable));
  for (const formwork::Entry &entry : entries)
    description.entries.push_back(entryOf(entry));
  return description;
}

} // namespace formwork::package
