// What codegen may rely on, checked where the passes over fw end.
//
// Changes nothing. What it finds is a mistake of the compiler, not of the model, but for an op that
// no target can take apart.
#include "passes/Passes.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_VERIFYENTRIES
#include "passes/Passes.h.inc"

static LogicalResult verifyOp(Operation *op) {
  if (isa<func::FuncOp, func::ReturnOp, YieldOp, DecomposableOp>(op))
    return success();
  return op->emitOpError()
         << "is left after the passes over fw, and nothing can compile it: layer '"
         << layerName(op->getLoc()) << "'";
}

/// No `?` is left where every size is known.
static LogicalResult verifyConcrete(func::FuncOp function) {
  auto dynamic = [](Type type) { return !cast<ShapedType>(type).hasStaticShape(); };
  if (llvm::any_of(function.getArgumentTypes(), dynamic))
    return function.emitError() << "concrete function '" << function.getName()
                                << "' has an argument of unknown size";
  WalkResult walk = function.front().walk([&](Operation *op) -> WalkResult {
    if (llvm::none_of(op->getResultTypes(), dynamic))
      return WalkResult::advance();
    return op->emitOpError() << "has an unknown size in a concrete function";
  });
  return failure(walk.wasInterrupted());
}

/// Each buffer of an entry is a variable or says what it is.
static LogicalResult verifyBuffers(func::FuncOp function) {
  auto known = [](DictionaryAttr attributes) {
    return attributes && (attributes.contains("fw.variable") ||
                          (attributes.contains("fw.role") && attributes.contains("fw.name")));
  };
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (!known(function.getArgAttrDict(i)))
      return function.emitError() << "argument #" << i << " is neither a variable nor a buffer "
                                  << "with name and role";
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    if (!known(function.getResultAttrDict(i)))
      return function.emitError() << "result #" << i << " is neither a variable nor a buffer "
                                  << "with name and role";
  return success();
}

static LogicalResult verifyFunction(func::FuncOp function) {
  bool general = function->hasAttr("fw.entry"), concrete = function->hasAttr("fw.concrete_of");
  if ((general || concrete) && failed(verifyBuffers(function)))
    return failure();
  if (concrete && failed(verifyConcrete(function)))
    return failure();
  WalkResult walk = function.walk([](Operation *op) {
    return failed(verifyOp(op)) ? WalkResult::interrupt() : WalkResult::advance();
  });
  return failure(walk.wasInterrupted());
}

namespace {
struct VerifyEntries : impl::VerifyEntriesBase<VerifyEntries> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && failed(verifyFunction(function)))
        return signalPassFailure();
  }
};
} // namespace

} // namespace formwork
