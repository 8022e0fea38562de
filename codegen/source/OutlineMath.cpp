// fw-outline-math: a function per mathematical function and type of what it is applied to. A
// division that MarkDivisions marked is one as well.
//
// What one instruction computes stays where it is.
#include "codegen/source/Passes.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_OUTLINEMATH
#include "codegen/source/Passes.h.inc"

static bool isInstruction(Operation *op) {
  return isa<math::FmaOp, math::SqrtOp, math::AbsFOp, math::FloorOp, math::CeilOp, math::TruncOp,
             math::RoundOp, math::RoundEvenOp, math::CopySignOp>(op);
}

/// exp_f32x16
static std::string nameFor(Operation *op) {
  std::string name = op->getName().stripDialect().str() + "_";
  llvm::raw_string_ostream stream(name);
  stream << getElementTypeOrSelf(op->getResult(0));
  if (auto vector = dyn_cast<VectorType>(op->getResult(0).getType()))
    stream << "x" << vector.getNumElements();
  return name;
}

/// A function of the op's operands that returns what it gives.
static func::FuncOp functionFor(Operation *op, StringRef name) {
  OpBuilder builder(op->getContext());
  Location location = builder.getUnknownLoc();
  auto function = func::FuncOp::create(
      location, name, builder.getFunctionType(op->getOperandTypes(), op->getResultTypes()));
  function.setPrivate();
  function->setAttr("fw.math", builder.getUnitAttr());
  for (unsigned i = 0; i < op->getNumOperands(); ++i)
    function.setArgAttr(i, "fw.name", builder.getStringAttr(StringRef("xyz").substr(i, 1)));
  Block *body = function.addEntryBlock();
  builder.setInsertionPointToStart(body);
  Operation *inner = builder.clone(*op);
  inner->setOperands(body->getArguments());
  inner->setLoc(location);
  func::ReturnOp::create(builder, location, inner->getResults());
  return function;
}

namespace {
struct OutlineMath : impl::OutlineMathBase<OutlineMath> {
  void runOnOperation() override {
    for (auto kernels : getOperation().getOps<ModuleOp>())
      outline(kernels);
  }

private:
  void outline(ModuleOp kernels) {
    std::vector<Operation *> ops;
    kernels.walk([&](Operation *op) {
      bool isFunction = isa_and_nonnull<math::MathDialect>(op->getDialect()) && !isInstruction(op);
      if ((isFunction || op->hasAttr("fw.bounded")) && op->getNumResults() == 1)
        ops.push_back(op);
    });
    SymbolTable symbols(kernels);
    llvm::StringMap<func::FuncOp> functions;
    for (Operation *op : ops) {
      // Attributes, such as fast-math flags, would make it another function: there are none.
      func::FuncOp &function = functions[nameFor(op)];
      if (!function) {
        function = functionFor(op, nameFor(op));
        symbols.insert(function, kernels.getBody()->begin());
      }
      OpBuilder builder(op);
      auto call = func::CallOp::create(builder, op->getLoc(), function, op->getOperands());
      op->replaceAllUsesWith(call);
      op->erase();
    }
  }
};
} // namespace

} // namespace formwork
