// fw.launch to calls. Each kernel gets one launcher, which decides whether to split its chunks:
//
//   launch(parallel_for, pool, buffers...):
//     if parallel_for and chunks > 1 and there is enough work:
//       parallel_for(pool, chunks, task, &closure of buffers)   // task runs the kernel on a range
//     else
//       kernel(0, chunks, buffers...)
//
// What is computed in a chunk depends on shapes alone, so both ways give the same bits.
#include "codegen/host/Buffers.h"
#include "codegen/host/FloatingPointMode.h"
#include "codegen/host/LowerCopies.h"
#include "codegen/host/Passes.h"
#include "ir/Dialect.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_LOWERLAUNCHES
#include "codegen/host/Passes.h.inc"

namespace {
/// Writes the launcher of one kernel, and its task if it may be split.
class LauncherWriter {
public:
  LauncherWriter(func::FuncOp kernel, func::FuncOp chunks, const llvm::Triple &target,
                 int64_t threshold)
      : kernel(kernel), chunks(chunks), target(target), threshold(threshold),
        types(kernel.getContext()), pointer(LLVM::LLVMPointerType::get(kernel.getContext())) {}

  func::FuncOp run();

private:
  func::FuncOp declare(StringRef suffix, TypeRange arguments);
  func::FuncOp writeTask();
  void callKernel(OpBuilder &builder, Value begin, Value end, ValueRange buffers);
  void callParallelFor(OpBuilder &builder, func::FuncOp task, Value count, ValueRange arguments);
  TypeRange bufferTypes() { return TypeRange(kernel.getArgumentTypes()).drop_front(2); }
  LLVM::LLVMStructType closureType();

  func::FuncOp kernel, chunks;
  const llvm::Triple &target;
  int64_t threshold;
  LLVMTypeConverter types;
  Type pointer;
};
} // namespace

static void makeInternal(func::FuncOp function) {
  function.setPrivate();
  function->setAttr("llvm.linkage", LLVM::LinkageAttr::get(function.getContext(),
                                                           LLVM::linkage::Linkage::Internal));
}

func::FuncOp LauncherWriter::declare(StringRef suffix, TypeRange arguments) {
  OpBuilder builder(kernel);
  auto function = func::FuncOp::create(builder, kernel.getLoc(), (kernel.getName() + suffix).str(),
                                       builder.getFunctionType(arguments, {}));
  makeInternal(function);
  function.addEntryBlock();
  return function;
}

void LauncherWriter::callKernel(OpBuilder &builder, Value begin, Value end, ValueRange buffers) {
  SmallVector<Value> arguments = {begin, end};
  llvm::append_range(arguments, buffers);
  func::CallOp::create(builder, kernel.getLoc(), kernel, arguments);
}

LLVM::LLVMStructType LauncherWriter::closureType() {
  SmallVector<Type> members;
  for (Type type : bufferTypes())
    members.push_back(types.convertType(type));
  return LLVM::LLVMStructType::getLiteral(kernel.getContext(), members);
}

/// void task(void *closure, int64_t begin, int64_t end), on any thread.
func::FuncOp LauncherWriter::writeTask() {
  Location location = kernel.getLoc();
  Type i64 = IntegerType::get(kernel.getContext(), 64);
  func::FuncOp task = declare(".task", {pointer, i64, i64});
  auto builder = OpBuilder::atBlockEnd(&task.front());
  BufferBuilder buffers(builder, types);
  Value closure = LLVM::LoadOp::create(builder, location, closureType(), task.getArgument(0));
  SmallVector<Value> arguments;
  for (auto [i, type] : llvm::enumerate(bufferTypes()))
    arguments.push_back(
        buffers.raised(LLVM::ExtractValueOp::create(builder, location, closure, i), type));
  auto range = llvm::map_to_vector(task.getArguments().drop_front(), [&](Value bound) -> Value {
    return arith::IndexCastOp::create(builder, location, builder.getIndexType(), bound);
  });
  Value mode = flushDenormals(builder, location, target);
  callKernel(builder, range[0], range[1], arguments);
  restoreMode(builder, location, target, mode);
  func::ReturnOp::create(builder, location);
  return task;
}

void LauncherWriter::callParallelFor(OpBuilder &builder, func::FuncOp task, Value count,
                                     ValueRange arguments) {
  Location location = kernel.getLoc();
  BufferBuilder buffers(builder, types);
  LLVM::LLVMStructType type = closureType();
  Value closure = LLVM::PoisonOp::create(builder, location, type);
  for (auto [i, buffer] : llvm::enumerate(arguments.drop_front(2)))
    closure = LLVM::InsertValueOp::create(builder, location, closure, buffers.lowered(buffer), i);
  // On the launcher's own stack: the call returns when all tasks have.
  OpBuilder entry = OpBuilder::atBlockBegin(builder.getBlock()->getParentOp()->getBlock());
  Value one =
      LLVM::ConstantOp::create(entry, location, entry.getI64Type(), entry.getI64IntegerAttr(1));
  Value slot = LLVM::AllocaOp::create(entry, location, pointer, type, one);
  LLVM::StoreOp::create(builder, location, closure, slot);
  Value count64 = arith::IndexCastOp::create(builder, location, builder.getI64Type(), count);
  Value body = func::ConstantOp::create(builder, location, task.getFunctionType(),
                                        FlatSymbolRefAttr::get(task));
  body = UnrealizedConversionCastOp::create(builder, location, pointer, body).getResult(0);
  auto signature = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(kernel.getContext()),
                                               {pointer, builder.getI64Type(), pointer, pointer});
  LLVM::CallOp::create(builder, location, signature,
                       ValueRange{arguments[0], arguments[1], count64, body, slot});
}

func::FuncOp LauncherWriter::run() {
  Location location = kernel.getLoc();
  SmallVector<Type> arguments = {pointer, pointer};
  llvm::append_range(arguments, bufferTypes());
  func::FuncOp launcher = declare(".launch", arguments);
  auto builder = OpBuilder::atBlockEnd(&launcher.front());
  ValueRange given = launcher.getArguments(), buffers = given.drop_front(2);
  Value zero = arith::ConstantIndexOp::create(builder, location, 0);
  Value one = arith::ConstantIndexOp::create(builder, location, 1);
  if (!chunks) {
    callKernel(builder, zero, one, buffers);
    func::ReturnOp::create(builder, location);
    return launcher;
  }
  int64_t work = 1;
  if (auto attribute = kernel->getAttrOfType<IntegerAttr>("fw.chunk_work"))
    work = std::max<int64_t>(attribute.getInt(), 1);
  Value count = func::CallOp::create(builder, location, chunks, buffers).getResult(0);
  // As many chunks as are worth a region, and two at least.
  Value enough = arith::ConstantIndexOp::create(
      builder, location, std::max<int64_t>(llvm::divideCeil(threshold, work), 2));
  Value large = arith::CmpIOp::create(builder, location, arith::CmpIPredicate::sge, count, enough);
  Value null = LLVM::ZeroOp::create(builder, location, pointer);
  Value threads = LLVM::ICmpOp::create(builder, location, LLVM::ICmpPredicate::ne, given[0], null);
  Value split = arith::AndIOp::create(builder, location, large, threads);
  auto branch = scf::IfOp::create(builder, location, split, /*withElseRegion=*/true);
  OpBuilder then = branch.getThenBodyBuilder(), otherwise = branch.getElseBodyBuilder();
  callParallelFor(then, writeTask(), count, given);
  callKernel(otherwise, zero, count, buffers);
  func::ReturnOp::create(builder, location);
  return launcher;
}

namespace {
class Lowering {
public:
  Lowering(ModuleOp module, const llvm::Triple &target, int64_t threshold)
      : module(module), target(target), threshold(threshold), types(module.getContext()) {}
  void run();

private:
  void hoistKernels(ModuleOp kernels);
  func::FuncOp launcherOf(StringRef kernel);
  void lower(func::FuncOp function);
  Value adapted(OpBuilder &builder, Value operand, Type type);

  ModuleOp module;
  const llvm::Triple &target;
  int64_t threshold;
  LLVMTypeConverter types;
  /// Kernels by the name that launches know them by.
  llvm::StringMap<func::FuncOp> kernels;
  DenseMap<func::FuncOp, func::FuncOp> launchers;
};
} // namespace

/// Moves everything in the nested module out, under names that no host function has.
void Lowering::hoistKernels(ModuleOp nested) {
  // Kernels do not call each other, and launches are found by the old names.
  for (auto function : llvm::to_vector(nested.getOps<func::FuncOp>())) {
    std::string name = function.getName().str();
    function.setName(("kernel." + function.getName()).str());
    makeInternal(function);
    // The planner gives each operand memory of its own; the checker holds it to that.
    for (BlockArgument argument : function.getArguments())
      if (isa<MemRefType>(argument.getType()))
        function.setArgAttr(argument.getArgNumber(), LLVM::LLVMDialect::getNoAliasAttrName(),
                            UnitAttr::get(module.getContext()));
    kernels[name] = function;
  }
  Block *outer = module.getBody();
  outer->getOperations().splice(outer->end(), nested.getBody()->getOperations());
  nested.erase();
}

func::FuncOp Lowering::launcherOf(StringRef name) {
  func::FuncOp kernel = kernels.lookup(name);
  func::FuncOp &launcher = launchers[kernel];
  if (!launcher)
    launcher =
        LauncherWriter(kernel, kernels.lookup((name + "_chunks").str()), target, threshold).run();
  return launcher;
}

/// `operand` as the kernel takes it: from its first element.
Value Lowering::adapted(OpBuilder &builder, Value operand, Type type) {
  if (operand.getType() == type)
    return operand;
  return BufferBuilder(builder, types).rebased(operand, cast<MemRefType>(type));
}

void Lowering::lower(func::FuncOp function) {
  Type pointer = LLVM::LLVMPointerType::get(module.getContext());
  for (unsigned i : {0, 1})
    (void)function.insertArgument(i, pointer, {}, function.getLoc());
  function.walk([&](LaunchOp launch) {
    OpBuilder builder(launch);
    func::FuncOp launcher = launcherOf(launch.getKernelName());
    SmallVector<Value> arguments(function.getArguments().take_front(2));
    for (auto [operand, type] : llvm::zip_equal(
             launch.getOperands(), TypeRange(launcher.getArgumentTypes()).drop_front(2)))
      arguments.push_back(adapted(builder, operand, type));
    func::CallOp::create(builder, launch.getLoc(), launcher, arguments);
    launch.erase();
  });
  lowerCopies(function);
}

void Lowering::run() {
  auto hosts = llvm::to_vector(module.getOps<func::FuncOp>());
  for (auto nested : llvm::to_vector(module.getOps<ModuleOp>()))
    if (nested.getName() == "kernels")
      hoistKernels(nested);
  for (func::FuncOp host : hosts) {
    bool runs = llvm::any_of(llvm::seq(host.getNumArguments()),
                             [&](unsigned i) { return bool(host.getArgAttr(i, "fw.arena")); });
    if (runs)
      lower(host);
  }
}

namespace {
struct LowerLaunches : impl::LowerLaunchesBase<LowerLaunches> {
  using LowerLaunchesBase::LowerLaunchesBase;
  void runOnOperation() override {
    Lowering(getOperation(), llvm::Triple(target), threshold).run();
  }
};
} // namespace

} // namespace formwork
