// The C interface of runtime/formwork.h around each host function.
//
//   int32 NAME_ENTRY__DIMS(context, constants, state, arena, dims, buffers)
//   int64 NAME_ENTRY_arena__DIMS(dims)
//
// Only these are visible outside the object.
#include "codegen/host/EntryWriter.h"
#include "codegen/host/FloatingPointMode.h"
#include "codegen/host/Passes.h"
#include "runtime/formwork.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_ENTRYPOINTS
#include "codegen/host/Passes.h.inc"

namespace {
class HostEntryWriter : public EntryWriter {
public:
  HostEntryWriter(ModuleOp module, const StateLayout &layout, const llvm::Triple &target)
      : EntryWriter(module, layout), target(target) {}

private:
  LogicalResult writeRun(func::FuncOp host, LLVM::LLVMFuncOp function,
                         const ConcreteEntry &) override {
    // parallel_for and its pool.
    SmallVector<Value> arguments = loadContext(function.getArgument(Context), 2);
    if (failed(gather(host, function.getArguments(), arguments)))
      return failure();
    // The host function is not inlined: no arithmetic moves across the change of mode.
    Value mode = flushDenormals(builder, location, target);
    func::CallOp::create(builder, location, host, arguments);
    restoreMode(builder, location, target, mode);
    returnStatus(FORMWORK_OK);
    return success();
  }

  const llvm::Triple &target;
};

struct EntryPoints : impl::EntryPointsBase<EntryPoints> {
  using EntryPointsBase::EntryPointsBase;
  void runOnOperation() override {
    StateLayout layout(getOperation());
    llvm::Triple triple(target);
    HostEntryWriter writer(getOperation(), layout, triple);
    std::vector<Entry> entries = readEntries(getOperation(), name);
    for (Entry &entry : entries)
      for (ConcreteEntry &concrete : entry.concretes)
        concrete.symbol += suffix, concrete.arenaSymbol += suffix;
    if (!writeEntries(getOperation(), entries, writer))
      return signalPassFailure();
    // Only the entries of another target call these.
    if (!suffix.empty())
      for (auto function : getOperation().getOps<LLVM::LLVMFuncOp>())
        function.setVisibility_(LLVM::Visibility::Hidden);
  }
};
} // namespace

} // namespace formwork
