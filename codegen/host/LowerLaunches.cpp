// fw.launch to calls. Each launch gets a launcher, which decides whether to split its chunks:
//
//   launch(parallel_for, pool, buffers...):
//     if parallel_for and chunks > 1 and there is enough work:
//       parallel_for(pool, chunks, task, &closure of buffers)   // task runs the kernel on a range
//     else
//       kernel(0, chunks, buffers...)
//
// Launches in a row that each update variables, and nothing that another touches, have one
// launcher: their chunks follow one another in one parallel loop. So an optimizer passes over all
// variables at once, and threads meet there once.
//
// To profile, the functions of runtime/profile.h are called before and after each launcher, with
// what fw-count-costs wrote to its launches.
//
// What is computed in a chunk depends on shapes alone, so all ways give the same bits.
#include "codegen/host/Buffers.h"
#include "codegen/host/FloatingPointMode.h"
#include "codegen/host/LowerCopies.h"
#include "codegen/host/Passes.h"
#include "codegen/host/Profiling.h"
#include "codegen/host/Runs.h"
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

/// Of the function that says how many chunks a kernel has. No kernel's name has a dot.
static constexpr StringRef chunksSuffix = ".chunks";

namespace {
struct Kernel {
  func::FuncOp run;
  func::FuncOp chunks; // null: a single chunk that is not worth a thread
  TypeRange bufferTypes() { return TypeRange(run.getArgumentTypes()).drop_front(2); }
  int64_t workPerChunk() {
    auto work = run->getAttrOfType<IntegerAttr>("fw.chunk_work");
    return work ? std::max<int64_t>(work.getInt(), 1) : 1;
  }
};

/// Writes the launcher of kernels that run together, and its task if they may be split.
class LauncherWriter {
public:
  LauncherWriter(StringRef name, SmallVector<Kernel> together, const llvm::Triple &target,
                 int64_t threshold);

  func::FuncOp run();

private:
  func::FuncOp declare(StringRef suffix, TypeRange arguments);
  func::FuncOp writeTask();
  SmallVector<Value> countChunks(OpBuilder &builder, ValueRange buffers);
  Value isWorthSplitting(OpBuilder &builder, ValueRange counts, Value total);
  void callKernels(OpBuilder &builder, ValueRange counts, ValueRange buffers);
  void callKernelsWithin(OpBuilder &builder, Value begin, Value end, ValueRange buffers);
  void callParallelFor(OpBuilder &builder, func::FuncOp task, Value count, ValueRange arguments);
  void forEachKernel(ValueRange buffers,
                     llvm::function_ref<void(size_t, Kernel &, ValueRange)> body);
  LLVM::LLVMStructType closureType();

  std::string name;
  SmallVector<Kernel> kernels;
  const llvm::Triple &target;
  int64_t threshold;
  MLIRContext *context;
  Location location;
  LLVMTypeConverter types;
  Type pointer;
  SmallVector<Type> bufferTypes;
};
} // namespace

LauncherWriter::LauncherWriter(StringRef name, SmallVector<Kernel> together,
                               const llvm::Triple &target, int64_t threshold)
    : name(name), kernels(std::move(together)), target(target), threshold(threshold),
      context(kernels.front().run.getContext()), location(kernels.front().run.getLoc()),
      types(context), pointer(LLVM::LLVMPointerType::get(context)) {
  for (Kernel &kernel : kernels)
    llvm::append_range(bufferTypes, kernel.bufferTypes());
}

static void makeInternal(func::FuncOp function) {
  function.setPrivate();
  function->setAttr("llvm.linkage", LLVM::LinkageAttr::get(function.getContext(),
                                                           LLVM::linkage::Linkage::Internal));
}

func::FuncOp LauncherWriter::declare(StringRef suffix, TypeRange arguments) {
  OpBuilder builder(kernels.front().run);
  auto function = func::FuncOp::create(builder, location, name + suffix.str(),
                                       builder.getFunctionType(arguments, {}));
  makeInternal(function);
  function.addEntryBlock();
  return function;
}

/// Gives each kernel its part of the buffers of all.
void LauncherWriter::forEachKernel(ValueRange buffers,
                                   llvm::function_ref<void(size_t, Kernel &, ValueRange)> body) {
  for (auto [i, kernel] : llvm::enumerate(kernels)) {
    size_t count = kernel.bufferTypes().size();
    body(i, kernel, buffers.take_front(count));
    buffers = buffers.drop_front(count);
  }
}

static void callKernel(OpBuilder &builder, Location location, Kernel &kernel, Value begin,
                       Value end, ValueRange buffers) {
  SmallVector<Value> arguments = {begin, end};
  llvm::append_range(arguments, buffers);
  func::CallOp::create(builder, location, kernel.run, arguments);
}

SmallVector<Value> LauncherWriter::countChunks(OpBuilder &builder, ValueRange buffers) {
  SmallVector<Value> counts;
  forEachKernel(buffers, [&](size_t, Kernel &kernel, ValueRange own) {
    counts.push_back(kernel.chunks
                         ? func::CallOp::create(builder, location, kernel.chunks, own).getResult(0)
                         : arith::ConstantIndexOp::create(builder, location, 1).getResult());
  });
  return counts;
}

/// All chunks of all kernels.
void LauncherWriter::callKernels(OpBuilder &builder, ValueRange counts, ValueRange buffers) {
  Value zero = arith::ConstantIndexOp::create(builder, location, 0);
  forEachKernel(buffers, [&](size_t i, Kernel &kernel, ValueRange own) {
    callKernel(builder, location, kernel, zero, counts[i], own);
  });
}

/// Chunks [begin, end) where those of each kernel are numbered after those of the one before.
void LauncherWriter::callKernelsWithin(OpBuilder &builder, Value begin, Value end,
                                       ValueRange buffers) {
  if (kernels.size() == 1)
    return callKernel(builder, location, kernels.front(), begin, end, buffers);
  SmallVector<Value> counts = countChunks(builder, buffers);
  Value zero = arith::ConstantIndexOp::create(builder, location, 0);
  Value first = zero;
  auto within = [&](Value chunk, Value count) -> Value {
    Value at = arith::SubIOp::create(builder, location, chunk, first);
    at = arith::MaxSIOp::create(builder, location, at, zero);
    return arith::MinSIOp::create(builder, location, at, count);
  };
  forEachKernel(buffers, [&](size_t i, Kernel &kernel, ValueRange own) {
    callKernel(builder, location, kernel, within(begin, counts[i]), within(end, counts[i]), own);
    first = arith::AddIOp::create(builder, location, first, counts[i]);
  });
}

LLVM::LLVMStructType LauncherWriter::closureType() {
  OpBuilder builder(context);
  BufferBuilder buffers(builder, types);
  SmallVector<Type> members;
  for (Type type : bufferTypes)
    buffers.passedTypes(type, members);
  return LLVM::LLVMStructType::getLiteral(context, members);
}

/// void task(void *closure, int64_t begin, int64_t end), on any thread.
func::FuncOp LauncherWriter::writeTask() {
  Type i64 = IntegerType::get(context, 64);
  func::FuncOp task = declare(".task", {pointer, i64, i64});
  auto builder = OpBuilder::atBlockEnd(&task.front());
  BufferBuilder buffers(builder, types);
  LLVM::LLVMStructType type = closureType();
  Value closure = LLVM::LoadOp::create(builder, location, type, task.getArgument(0));
  SmallVector<Value> members, arguments;
  for (size_t i = 0; i < type.getBody().size(); ++i)
    members.push_back(LLVM::ExtractValueOp::create(builder, location, closure, i));
  ValueRange passed = members;
  for (Type type : bufferTypes)
    arguments.push_back(buffers.received(location, type, passed));
  auto range = llvm::map_to_vector(task.getArguments().drop_front(), [&](Value bound) -> Value {
    return arith::IndexCastOp::create(builder, location, builder.getIndexType(), bound);
  });
  Value mode = flushDenormals(builder, location, target);
  callKernelsWithin(builder, range[0], range[1], arguments);
  restoreMode(builder, location, target, mode);
  func::ReturnOp::create(builder, location);
  return task;
}

void LauncherWriter::callParallelFor(OpBuilder &builder, func::FuncOp task, Value count,
                                     ValueRange arguments) {
  BufferBuilder buffers(builder, types);
  LLVM::LLVMStructType type = closureType();
  Value closure = LLVM::PoisonOp::create(builder, location, type);
  SmallVector<Value> members;
  for (Value buffer : arguments.drop_front(2))
    buffers.pass(buffer, members);
  for (auto [i, member] : llvm::enumerate(members))
    closure = LLVM::InsertValueOp::create(builder, location, closure, member, i);
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
  auto signature = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context),
                                               {pointer, builder.getI64Type(), pointer, pointer});
  LLVM::CallOp::create(builder, location, signature,
                       ValueRange{arguments[0], arguments[1], count64, body, slot});
}

/// Whether the chunks have as much work as a region costs, and are two at least.
Value LauncherWriter::isWorthSplitting(OpBuilder &builder, ValueRange counts, Value total) {
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, location, value);
  };
  auto atLeast = [&](Value value, int64_t least) -> Value {
    return arith::CmpIOp::create(builder, location, arith::CmpIPredicate::sge, value,
                                 constant(least));
  };
  Value work = constant(0);
  for (auto [kernel, chunks] : llvm::zip_equal(kernels, counts)) {
    Value own = arith::MulIOp::create(builder, location, chunks, constant(kernel.workPerChunk()));
    work = arith::AddIOp::create(builder, location, work, own);
  }
  return arith::AndIOp::create(builder, location, atLeast(work, threshold), atLeast(total, 2));
}

func::FuncOp LauncherWriter::run() {
  SmallVector<Type> arguments = {pointer, pointer};
  llvm::append_range(arguments, bufferTypes);
  func::FuncOp launcher = declare(".launch", arguments);
  auto builder = OpBuilder::atBlockEnd(&launcher.front());
  ValueRange given = launcher.getArguments(), buffers = given.drop_front(2);
  SmallVector<Value> counts = countChunks(builder, buffers);
  bool splits = llvm::all_of(kernels, [](Kernel &kernel) { return bool(kernel.chunks); });
  if (!splits) {
    callKernels(builder, counts, buffers);
    func::ReturnOp::create(builder, location);
    return launcher;
  }
  Value total = counts.front();
  for (Value count : ArrayRef(counts).drop_front())
    total = arith::AddIOp::create(builder, location, total, count);
  Value null = LLVM::ZeroOp::create(builder, location, pointer);
  Value threads = LLVM::ICmpOp::create(builder, location, LLVM::ICmpPredicate::ne, given[0], null);
  Value split =
      arith::AndIOp::create(builder, location, isWorthSplitting(builder, counts, total), threads);
  auto branch = scf::IfOp::create(builder, location, split, /*withElseRegion=*/true);
  OpBuilder then = branch.getThenBodyBuilder(), otherwise = branch.getElseBodyBuilder();
  callParallelFor(then, writeTask(), total, given);
  callKernels(otherwise, counts, buffers);
  func::ReturnOp::create(builder, location);
  return launcher;
}

//===--- the pass --------------------------------------------------------------------------------

namespace {
class Lowering {
public:
  Lowering(ModuleOp module, const llvm::Triple &target, int64_t threshold, bool profile)
      : module(module), target(target), threshold(threshold), types(module.getContext()) {
    if (profile)
      profiling.emplace(module);
  }
  void run();

private:
  void hoistKernels(ModuleOp kernels);
  func::FuncOp launcherOf(ArrayRef<LaunchOp> launches);
  void lower(func::FuncOp function);
  void lower(ArrayRef<LaunchOp> launches, ValueRange context);
  Value adapted(OpBuilder &builder, Value operand, Type type);

  ModuleOp module;
  const llvm::Triple &target;
  int64_t threshold;
  LLVMTypeConverter types;
  /// Kernels by the name that launches know them by.
  llvm::StringMap<Kernel> kernels;
  /// Launchers by the names of their kernels.
  llvm::StringMap<func::FuncOp> launchers;
  std::optional<Profiling> profiling;
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
    if (StringRef(name).ends_with(chunksSuffix))
      kernels[StringRef(name).drop_back(chunksSuffix.size())].chunks = function;
    else
      kernels[name].run = function;
  }
  Block *outer = module.getBody();
  outer->getOperations().splice(outer->end(), nested.getBody()->getOperations());
  nested.erase();
}

func::FuncOp Lowering::launcherOf(ArrayRef<LaunchOp> launches) {
  std::string names;
  SmallVector<Kernel> together;
  for (LaunchOp launch : launches) {
    names.append(launch.getKernelName()).append(" ");
    together.push_back(kernels.lookup(launch.getKernelName()));
  }
  size_t number = launchers.size();
  func::FuncOp &launcher = launchers[names];
  if (!launcher) {
    std::string name = together.front().run.getName().str();
    if (together.size() > 1)
      name.append(".and_others_").append(std::to_string(number));
    launcher = LauncherWriter(name, together, target, threshold).run();
  }
  return launcher;
}

/// `operand` as the kernel takes it: from its first element.
Value Lowering::adapted(OpBuilder &builder, Value operand, Type type) {
  if (operand.getType() == type)
    return operand;
  return BufferBuilder(builder, types).rebased(operand, cast<MemRefType>(type));
}

void Lowering::lower(ArrayRef<LaunchOp> launches, ValueRange context) {
  func::FuncOp launcher = launcherOf(launches);
  // Operands of all of them are computed before the last.
  LaunchOp last = launches.back();
  OpBuilder builder(last);
  SmallVector<Value> arguments(context);
  for (LaunchOp launch : launches)
    for (Value operand : launch.getOperands())
      arguments.push_back(adapted(builder, operand, launcher.getArgumentTypes()[arguments.size()]));
  Value start = profiling ? profiling->start(builder, last.getLoc()) : Value();
  func::CallOp::create(builder, last.getLoc(), launcher, arguments);
  if (profiling)
    profiling->stop(builder, start, launcher.getName(), launches);
  for (LaunchOp launch : launches)
    launch.erase();
}

void Lowering::lower(func::FuncOp function) {
  Type pointer = LLVM::LLVMPointerType::get(module.getContext());
  for (unsigned i : {0, 1})
    (void)function.insertArgument(i, pointer, {}, function.getLoc());
  SmallVector<Block *> blocks;
  function.walk([&](Block *block) { blocks.push_back(block); });
  for (Block *block : blocks)
    for (ArrayRef<LaunchOp> run : findRuns(*block))
      lower(run, function.getArguments().take_front(2));
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
    Lowering(getOperation(), llvm::Triple(target), threshold, profile).run();
  }
};
} // namespace

} // namespace formwork
