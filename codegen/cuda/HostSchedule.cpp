// fw-cuda-host: host schedules to calls of runtime/cuda/interface.h.
//
// Takes a module after fw-cuda-tile. Buffers of host functions lie in device memory from here on:
// a launch counts its blocks and hands addresses and sizes to the device, copies and single
// elements go through it as well, and constant tensors are at their offsets in the code's literals.
// Host functions get one leading argument, the device. Kernels are gone afterwards: they were
// printed before. `fw.cuda.literals` holds the bytes of literals; `fw.cuda.straight` marks
// functions whose work depends on sizes and addresses alone, which can be recorded once and
// replayed.
#include "codegen/cuda/HostSchedule.h"

#include "codegen/StateLayout.h"
#include "codegen/cuda/CopyKernels.h"
#include "codegen/cuda/Passes.h"
#include "codegen/cuda/Source.h"
#include "codegen/host/Buffers.h"
#include "codegen/host/LowerCopies.h"
#include "ir/Dialect.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_CUDAHOST
#include "codegen/cuda/Passes.h.inc"

namespace cuda {

std::vector<KernelEntry> listKernels(ModuleOp module) {
  std::vector<KernelEntry> kernels;
  module.walk([&](func::FuncOp function) {
    if (isKernel(function))
      kernels.push_back({function.getName().str(), kernelName(function.getName()),
                         function->getAttrOfType<IntegerAttr>("fw.threads").getInt()});
  });
  return kernels;
}

//===--- literals --------------------------------------------------------------------------------

static void appendBytes(std::vector<char> &bytes, const APInt &number, int64_t size) {
  for (int64_t i = 0; i < size; ++i)
    bytes.push_back(char(number.extractBitsAsZExtValue(std::min<unsigned>(8, number.getBitWidth()),
                                                       std::min<unsigned>(8 * i, 64))));
}

static void appendBytes(std::vector<char> &bytes, DenseElementsAttr elements) {
  int64_t size = elementBytes(elements.getElementType());
  if (isa<FloatType>(elements.getElementType()))
    for (const APFloat &number : elements.getValues<APFloat>())
      appendBytes(bytes, number.bitcastToAPInt(), size);
  else
    for (const APInt &number : elements.getValues<APInt>())
      appendBytes(bytes, number, size);
}

namespace {
/// The constant tensors of a module that it needs, one after the other.
class Literals {
public:
  int64_t offsetOf(memref::GlobalOp global) {
    auto [found, isNew] = offsets.try_emplace(global.getSymName(), 0);
    if (isNew) {
      while (bytes.size() % StateLayout::alignment)
        bytes.push_back(0);
      found->second = int64_t(bytes.size());
      appendBytes(bytes, cast<DenseElementsAttr>(*global.getInitialValue()));
    }
    return found->second;
  }
  ArrayRef<char> content() const { return bytes; }

private:
  std::vector<char> bytes;
  llvm::StringMap<int64_t> offsets;
};
} // namespace

//===--- host functions --------------------------------------------------------------------------

namespace {
struct LaunchedKernel {
  int64_t number;
  func::FuncOp blocks;
};

/// Rewrites one host function.
class ScheduleWriter {
public:
  ScheduleWriter(func::FuncOp host, const llvm::StringMap<LaunchedKernel> &kernels,
                 Literals &literals)
      : host(host), kernels(kernels), literals(literals), types(host.getContext()),
        pointer(LLVM::LLVMPointerType::get(host.getContext())), builder(host.getLoc(), host) {}

  void run();

private:
  void lower(LaunchOp launched);
  void lower(memref::CopyOp copy);
  void lower(memref::LoadOp load);
  void lower(memref::StoreOp store);
  void lower(memref::GetGlobalOp constant);
  void lower(scf::ConditionOp condition);

  template <typename Op> void lowerAll();
  Value constant(Type type, int64_t value) {
    return LLVM::ConstantOp::create(builder, type, builder.getIntegerAttr(type, value));
  }
  Value i64(Value index) {
    return arith::IndexCastOp::create(builder, builder.getI64Type(), index);
  }
  Value addressOf(Value buffer, ValueRange indices = {});
  SmallVector<Value> parameters(ValueRange operands);
  void launch(int64_t kernel, Value blocks, ArrayRef<Value> given);
  Value countElements(Value buffer);
  void copyRows(memref::CopyOp copy, int64_t gaps);
  Value slots(int64_t count);
  Value bitsOf(Value scalar);
  Value scalarOf(Value bits, Type type);
  Value call(StringRef function, ArrayRef<Value> arguments, Type result = {});

  func::FuncOp host;
  const llvm::StringMap<LaunchedKernel> &kernels;
  Literals &literals;
  LLVMTypeConverter types;
  Type pointer;
  ImplicitLocOpBuilder builder;
  Value device;
  LLVM::AllocaOp argumentSlots; // for the launch with the most arguments
};
} // namespace

/// A function of the runtime, on the device and `arguments`.
Value ScheduleWriter::call(StringRef name, ArrayRef<Value> arguments, Type result) {
  auto module = host->getParentOfType<ModuleOp>();
  SmallVector<Value> all{device};
  llvm::append_range(all, arguments);
  auto function = module.lookupSymbol<LLVM::LLVMFuncOp>(name);
  if (!function) {
    OpBuilder outer = OpBuilder::atBlockBegin(module.getBody());
    auto type =
        LLVM::LLVMFunctionType::get(result ? result : LLVM::LLVMVoidType::get(builder.getContext()),
                                    SmallVector<Type>(ValueRange(all).getTypes()));
    function = LLVM::LLVMFuncOp::create(outer, module.getLoc(), name, type);
    function.setVisibility_(LLVM::Visibility::Hidden);
  }
  auto made = LLVM::CallOp::create(builder, function, all);
  return result ? made.getResult() : Value();
}

Value ScheduleWriter::addressOf(Value buffer, ValueRange indices) {
  BufferBuilder buffers(builder, types);
  MemRefDescriptor descriptor(buffers.lowered(buffer));
  Location location = builder.getLoc();
  Value offset = descriptor.offset(builder, location);
  for (auto [i, index] : llvm::enumerate(indices)) {
    Value step = LLVM::MulOp::create(builder, i64(index), descriptor.stride(builder, location, i));
    offset = LLVM::AddOp::create(builder, offset, step);
  }
  Type element = types.convertType(cast<MemRefType>(buffer.getType()).getElementType());
  return LLVM::GEPOp::create(builder, pointer, element, descriptor.alignedPtr(builder, location),
                             ValueRange{offset});
}

/// The bits of a number, zeros above them.
Value ScheduleWriter::bitsOf(Value scalar) {
  Type type = scalar.getType(), wide = builder.getI64Type();
  if (isa<LLVM::LLVMPointerType>(type))
    return LLVM::PtrToIntOp::create(builder, wide, scalar);
  if (type.isIndex())
    return i64(scalar);
  if (auto real = dyn_cast<FloatType>(type))
    scalar = LLVM::BitcastOp::create(builder, builder.getIntegerType(real.getWidth()), scalar);
  if (scalar.getType() == wide)
    return scalar;
  return LLVM::ZExtOp::create(builder, wide, scalar);
}

Value ScheduleWriter::scalarOf(Value bits, Type type) {
  if (type.isIndex())
    return arith::IndexCastOp::create(builder, type, bits);
  Type integer = builder.getIntegerType(type.getIntOrFloatBitWidth());
  if (integer != bits.getType())
    bits = LLVM::TruncOp::create(builder, integer, bits);
  return integer == type ? bits : LLVM::BitcastOp::create(builder, type, bits).getResult();
}

/// As kernels take them: pointers, each followed by the sizes that are not known; scalars.
SmallVector<Value> ScheduleWriter::parameters(ValueRange operands) {
  SmallVector<Value> all;
  for (Value operand : operands) {
    auto type = dyn_cast<MemRefType>(operand.getType());
    all.push_back(bitsOf(type ? addressOf(operand) : operand));
    for (int64_t i = 0; type && i < type.getRank(); ++i)
      if (type.isDynamicDim(i))
        all.push_back(i64(memref::DimOp::create(builder, operand, i)));
  }
  return all;
}

/// On the function's own stack, once for all launches.
Value ScheduleWriter::slots(int64_t count) {
  Type wide = builder.getI64Type();
  if (!argumentSlots) {
    OpBuilder entry = OpBuilder::atBlockBegin(&host.front());
    Value size = LLVM::ConstantOp::create(entry, host.getLoc(), wide, entry.getI64IntegerAttr(1));
    argumentSlots = LLVM::AllocaOp::create(entry, host.getLoc(), pointer,
                                           LLVM::LLVMArrayType::get(wide, 1), size);
  }
  int64_t room = cast<LLVM::LLVMArrayType>(argumentSlots.getElemType()).getNumElements();
  if (count > room)
    argumentSlots.setElemType(LLVM::LLVMArrayType::get(wide, count));
  return argumentSlots;
}

/// `operand` with the sizes that the kernel knows. What the kernel is launched with may know more.
static Value castTo(OpBuilder &builder, Value operand, Type type) {
  if (operand.getType() == type || !isa<MemRefType>(type))
    return operand;
  LLVMTypeConverter types(builder.getContext());
  return BufferBuilder(builder, types).rebased(operand, cast<MemRefType>(type));
}

void ScheduleWriter::launch(int64_t kernel, Value blocks, ArrayRef<Value> given) {
  Value list = slots(int64_t(given.size()));
  for (auto [i, value] : llvm::enumerate(given)) {
    Value slot = LLVM::GEPOp::create(builder, pointer, builder.getI64Type(), list,
                                     ArrayRef<LLVM::GEPArg>{int32_t(i)});
    LLVM::StoreOp::create(builder, value, slot);
  }
  Type i32 = builder.getI32Type();
  call("formwork_cuda_launch",
       {constant(i32, kernel), blocks, list, constant(i32, int64_t(given.size()))});
}

void ScheduleWriter::lower(LaunchOp launched) {
  LaunchedKernel kernel = kernels.find(launched.getKernelName())->second;
  SmallVector<Value> operands;
  for (auto [operand, type] :
       llvm::zip_equal(launched.getOperands(), kernel.blocks.getArgumentTypes()))
    operands.push_back(castTo(builder, operand, type));
  Value blocks = func::CallOp::create(builder, kernel.blocks, operands).getResult(0);
  launch(kernel.number, i64(blocks), parameters(operands));
}

//===--- copies ----------------------------------------------------------------------------------

/// The one value that a constant tensor has everywhere, if that is where `buffer` comes from.
static Attribute splatOf(Value buffer) {
  auto constant = buffer.getDefiningOp<memref::GetGlobalOp>();
  if (!constant)
    return {};
  auto global =
      SymbolTable::lookupNearestSymbolFrom<memref::GlobalOp>(constant, constant.getNameAttr());
  auto elements = cast<DenseElementsAttr>(*global.getInitialValue());
  return elements.isSplat() ? elements.getSplatValue<Attribute>() : Attribute();
}

static uint64_t numberBits(Attribute number) {
  if (auto real = dyn_cast<FloatAttr>(number))
    return real.getValue().bitcastToAPInt().getZExtValue();
  return cast<IntegerAttr>(number).getValue().getZExtValue();
}

Value ScheduleWriter::countElements(Value buffer) {
  Value count = constant(builder.getI64Type(), 1);
  for (int64_t i = 0; i < cast<MemRefType>(buffer.getType()).getRank(); ++i)
    count = LLVM::MulOp::create(builder, count, i64(memref::DimOp::create(builder, buffer, i)));
  return count;
}

/// Rows of which each is dense on both sides: along the last of the dimensions that have gaps.
void ScheduleWriter::copyRows(memref::CopyOp copy, int64_t gaps) {
  Value from = copy.getSource(), to = copy.getTarget();
  auto type = cast<MemRefType>(to.getType());
  int64_t size = elementBytes(type.getElementType());
  bool words = size % 4 == 0;
  Value scale = constant(builder.getI64Type(), words ? size / 4 : size);
  auto scaled = [&](Value elements) { return LLVM::MulOp::create(builder, elements, scale); };
  BufferBuilder buffers(builder, types);
  auto strideOf = [&](Value buffer) {
    MemRefDescriptor descriptor(buffers.lowered(buffer));
    return scaled(descriptor.stride(builder, builder.getLoc(), gaps - 1));
  };
  Value rows = i64(memref::DimOp::create(builder, to, gaps - 1));
  Value width = scale;
  for (int64_t i = gaps; i < type.getRank(); ++i)
    width = LLVM::MulOp::create(builder, width, i64(memref::DimOp::create(builder, to, i)));
  Value all = LLVM::MulOp::create(builder, width, rows);
  Value rounded =
      LLVM::AddOp::create(builder, all, constant(builder.getI64Type(), copyThreads - 1));
  Value blocks =
      LLVM::UDivOp::create(builder, rounded, constant(builder.getI64Type(), copyThreads));
  launch(
      int64_t(kernels.size()) + !words, blocks,
      {bitsOf(addressOf(to)), strideOf(to), bitsOf(addressOf(from)), strideOf(from), width, rows});
}

/// Dense on both sides but for one dimension, after lowerCopies.
void ScheduleWriter::lower(memref::CopyOp copy) {
  Value to = copy.getTarget();
  auto type = cast<MemRefType>(to.getType());
  int64_t size = elementBytes(type.getElementType());
  if (int64_t gaps = dimensionsWithGaps(copy))
    return copyRows(copy, gaps);
  if (Attribute splat = splatOf(copy.getSource())) {
    Type i64 = builder.getI64Type();
    call("formwork_cuda_fill", {addressOf(to), constant(i64, int64_t(numberBits(splat))),
                                constant(builder.getI32Type(), size), countElements(to)});
    return;
  }
  Value bytes =
      LLVM::MulOp::create(builder, countElements(to), constant(builder.getI64Type(), size));
  call("formwork_cuda_copy", {addressOf(to), addressOf(copy.getSource()), bytes});
}

void ScheduleWriter::lower(memref::StoreOp store) {
  int64_t size = elementBytes(store.getMemRefType().getElementType());
  call("formwork_cuda_store",
       {addressOf(store.getMemRef(), store.getIndices()), bitsOf(store.getValueToStore()),
        constant(builder.getI32Type(), size)});
}

void ScheduleWriter::lower(memref::LoadOp load) {
  Type type = load.getType();
  Value size = constant(builder.getI32Type(), elementBytes(type));
  Value bits = call("formwork_cuda_load", {addressOf(load.getMemRef(), load.getIndices()), size},
                    builder.getI64Type());
  load.replaceAllUsesWith(scalarOf(bits, type));
}

void ScheduleWriter::lower(memref::GetGlobalOp global) {
  if (global.use_empty())
    return;
  auto named = SymbolTable::lookupNearestSymbolFrom<memref::GlobalOp>(global, global.getNameAttr());
  Value base = call("formwork_cuda_literals", {}, pointer);
  Value offset = constant(builder.getI64Type(), literals.offsetOf(named));
  Value place =
      LLVM::GEPOp::create(builder, pointer, builder.getI8Type(), base, ValueRange{offset});
  global.replaceAllUsesWith(
      BufferBuilder(builder, types).fromPointer(builder.getLoc(), place, global.getType()));
}

/// A loop whose condition can no longer be known ends.
void ScheduleWriter::lower(scf::ConditionOp condition) {
  Value working = call("formwork_cuda_working", {}, builder.getI32Type());
  Value zero = constant(builder.getI32Type(), 0);
  Value holds = LLVM::ICmpOp::create(builder, LLVM::ICmpPredicate::ne, working, zero);
  Value both = arith::AndIOp::create(builder, condition.getCondition(), holds);
  scf::ConditionOp::create(builder, both, condition.getArgs());
}

template <typename Op> void ScheduleWriter::lowerAll() {
  SmallVector<Op> ops;
  host.walk([&](Op op) { ops.push_back(op); });
  for (Op op : ops) {
    builder.setInsertionPoint(op);
    builder.setLoc(op.getLoc());
    lower(op);
    op.erase();
  }
}

void ScheduleWriter::run() {
  (void)host.insertArgument(0, pointer, {}, host.getLoc());
  device = host.getArgument(0);
  bool straight =
      !host.walk([](memref::LoadOp) { return WalkResult::interrupt(); }).wasInterrupted();
  if (straight)
    host->setAttr(straightName, builder.getUnitAttr());
  lowerCopies(host, CopiedGaps::InOneDimension);
  lowerAll<LaunchOp>();
  lowerAll<memref::CopyOp>();
  lowerAll<memref::LoadOp>();
  lowerAll<memref::StoreOp>();
  lowerAll<memref::GetGlobalOp>();
  lowerAll<scf::ConditionOp>();
}

//===--- the module ------------------------------------------------------------------------------

/// Moves the functions that count blocks out of the nested module, and drops the kernels.
static llvm::StringMap<LaunchedKernel> hoistBlockCounts(ModuleOp module) {
  llvm::StringMap<LaunchedKernel> launched;
  std::vector<KernelEntry> kernels = listKernels(module);
  for (auto nested : llvm::to_vector(module.getOps<ModuleOp>())) {
    for (auto [number, kernel] : llvm::enumerate(kernels)) {
      auto blocks = nested.lookupSymbol<func::FuncOp>(kernel.name + ".blocks");
      blocks.setName(("kernel." + blocks.getName()).str());
      blocks.setPrivate();
      blocks->setAttr("llvm.linkage", LLVM::LinkageAttr::get(module.getContext(),
                                                             LLVM::linkage::Linkage::Internal));
      blocks->moveBefore(module.getBody(), module.getBody()->end());
      launched[kernel.name] = {int64_t(number), blocks};
    }
    nested.erase();
  }
  return launched;
}

static bool isHost(func::FuncOp function) {
  return llvm::any_of(llvm::seq(function.getNumArguments()),
                      [&](unsigned i) { return bool(function.getArgAttr(i, "fw.arena")); });
}

static void lowerSchedules(ModuleOp module) {
  Literals literals;
  SmallVector<func::FuncOp> hosts;
  for (auto function : module.getOps<func::FuncOp>())
    if (isHost(function))
      hosts.push_back(function);
  llvm::StringMap<LaunchedKernel> kernels = hoistBlockCounts(module);
  auto globals = llvm::to_vector(module.getOps<memref::GlobalOp>());
  for (func::FuncOp host : hosts)
    ScheduleWriter(host, kernels, literals).run();
  for (memref::GlobalOp global : globals)
    global.erase();
  ArrayRef<char> bytes = literals.content();
  module->setAttr(literalsName,
                  StringAttr::get(module.getContext(), StringRef(bytes.data(), bytes.size())));
}

} // namespace cuda

namespace {
struct CUDAHost : impl::CUDAHostBase<CUDAHost> {
  void runOnOperation() override { cuda::lowerSchedules(getOperation()); }
};
} // namespace

} // namespace formwork
