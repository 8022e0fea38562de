// fw-name-buffers: names for variables of source, from where a buffer's values come from.
//
// An argument of a kernel is called as what its first launch hands over; a part of the arena after
// the layer of the launch that writes it first.
#include "codegen/source/Names.h"
#include "codegen/source/Passes.h"
#include "ir/Dialect.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_NAMEBUFFERS
#include "codegen/source/Passes.h.inc"

static constexpr StringRef nameAttribute = "fw.name";

/// The last layer that a kernel computes; its results are that one's.
static StringRef layerOf(func::FuncOp kernel) {
  auto layers = kernel->getAttrOfType<ArrayAttr>("fw.layers");
  if (!layers || layers.empty())
    return kernel.getName();
  auto layer = dyn_cast<StringAttr>(layers.getValue().back());
  return layer ? layer.getValue() : kernel.getName();
}

namespace {
class Naming {
public:
  explicit Naming(ModuleOp module) : module(module) {}

  void run() {
    for (auto host : module.getOps<func::FuncOp>())
      nameArguments(host);
    for (auto host : module.getOps<func::FuncOp>())
      host.walk([&](LaunchOp launch) { name(launch); });
  }

private:
  func::FuncOp kernelOf(LaunchOp launch) {
    return cast<func::FuncOp>(SymbolTable::lookupSymbolIn(module, launch.getKernel()));
  }

  /// Inputs and outputs have names; variables and sizes get them.
  void nameArguments(func::FuncOp host) {
    Builder builder(host.getContext());
    auto set = [&](unsigned i, const Twine &name) {
      host.setArgAttr(i, nameAttribute, builder.getStringAttr(name));
    };
    for (unsigned i = 0; i < host.getNumArguments(); ++i) {
      if (auto variable = host.getArgAttrOfType<FlatSymbolRefAttr>(i, "fw.variable"))
        set(i, variable.getValue());
      else if (auto symbol = host.getArgAttrOfType<IntegerAttr>(i, "fw.symbol"))
        set(i, symbol.getInt() ? "size" + Twine(symbol.getInt()) : Twine("batch"));
      else if (host.getArgAttr(i, "fw.arena"))
        set(i, "arena");
    }
  }

  StringAttr nameOf(Value buffer) {
    if (auto argument = dyn_cast<BlockArgument>(buffer)) {
      auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
      return function
                 ? function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), nameAttribute)
                 : StringAttr();
    }
    Operation *op = buffer.getDefiningOp();
    if (auto name = op->getAttrOfType<StringAttr>(nameAttribute))
      return name;
    auto view = dyn_cast<ViewLikeOpInterface>(op);
    return view && !isa<memref::ViewOp>(op) ? nameOf(view.getViewSource()) : StringAttr();
  }

  /// The view of the arena that a buffer is, or is a part of.
  Operation *partOfArena(Value buffer) {
    Operation *op = buffer.getDefiningOp();
    while (op && !isa<memref::ViewOp>(op)) {
      auto view = dyn_cast<ViewLikeOpInterface>(op);
      op = view ? view.getViewSource().getDefiningOp() : nullptr;
    }
    return op;
  }

  void name(LaunchOp launch) {
    func::FuncOp kernel = kernelOf(launch);
    auto layer = StringAttr::get(launch.getContext(), layerOf(kernel));
    for (Value output : launch.getOutputs())
      if (Operation *part = partOfArena(output); part && !part->hasAttr(nameAttribute))
        part->setAttr(nameAttribute, layer);
    // Once scheduled for a CPU, it takes a range of chunks first.
    unsigned leading = kernel.getNumArguments() - launch.getNumOperands();
    if (leading == 2) {
      kernel.setArgAttr(0, nameAttribute, StringAttr::get(launch.getContext(), "begin"));
      kernel.setArgAttr(1, nameAttribute, StringAttr::get(launch.getContext(), "end"));
    }
    for (auto [i, operand] : llvm::enumerate(launch.getOperands()))
      if (StringAttr name = nameOf(operand); name && !kernel.getArgAttr(leading + i, nameAttribute))
        kernel.setArgAttr(leading + i, nameAttribute, name);
  }

  ModuleOp module;
};

struct NameBuffers : impl::NameBuffersBase<NameBuffers> {
  void runOnOperation() override { Naming(getOperation()).run(); }
};
} // namespace

} // namespace formwork
