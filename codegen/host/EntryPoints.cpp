// The C interface of runtime/formwork.h around each host function.
//
//   int32 NAME_ENTRY__DIMS(context, constants, state, arena, dims, buffers)
//   int64 NAME_ENTRY_arena__DIMS(dims)
//
// Only these are visible outside the object.
#include "codegen/EntryTable.h"
#include "codegen/StateLayout.h"
#include "codegen/host/Buffers.h"
#include "codegen/host/FloatingPointMode.h"
#include "codegen/host/Passes.h"
#include "runtime/formwork.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_ENTRYPOINTS
#include "codegen/host/Passes.h.inc"

namespace {
/// The arguments of a formwork_function.
enum Given { Context, Constants, State, Arena, Dims, Buffers };

class EntryWriter {
public:
  EntryWriter(ModuleOp module, const StateLayout &layout, const llvm::Triple &target)
      : module(module), layout(layout), target(target), types(module.getContext()),
        pointer(LLVM::LLVMPointerType::get(module.getContext())), builder(module.getContext()),
        location(module.getLoc()) {}

  LogicalResult write(const Entry &entry, const ConcreteEntry &concrete);

private:
  LLVM::LLVMFuncOp declare(StringRef name, ArrayRef<Type> arguments, Type result);
  void writeArenaSize(const ConcreteEntry &concrete, func::FuncOp size);
  Value checkDims(const Entry &entry, const ConcreteEntry &concrete, Value dims);
  FailureOr<SmallVector<Value>> gather(func::FuncOp host, ValueRange given);
  FailureOr<Value> argument(func::FuncOp host, unsigned index, ValueRange given, unsigned &buffer);
  void loadContext(Value context, SmallVectorImpl<Value> &arguments);
  Value constant(Type type, int64_t value);
  Value load(Type type, Value base, int64_t index);
  Value byteOffset(Value base, int64_t offset);
  Value sizeOf(int64_t symbol, Value dims);

  ModuleOp module;
  const StateLayout &layout;
  const llvm::Triple &target;
  LLVMTypeConverter types;
  Type pointer;
  OpBuilder builder;
  Location location;
};
} // namespace

Value EntryWriter::constant(Type type, int64_t value) {
  return LLVM::ConstantOp::create(builder, location, type, builder.getIntegerAttr(type, value));
}

/// base[index], of elements of that type.
Value EntryWriter::load(Type type, Value base, int64_t index) {
  Value place = LLVM::GEPOp::create(builder, location, pointer, type, base,
                                    ArrayRef<LLVM::GEPArg>{int32_t(index)});
  return LLVM::LoadOp::create(builder, location, type, place);
}

Value EntryWriter::byteOffset(Value base, int64_t offset) {
  return LLVM::GEPOp::create(builder, location, pointer, builder.getI8Type(), base,
                             ValueRange{constant(builder.getI64Type(), offset)});
}

Value EntryWriter::sizeOf(int64_t symbol, Value dims) {
  Value size = load(builder.getI64Type(), dims, symbol);
  return arith::IndexCastOp::create(builder, location, builder.getIndexType(), size);
}

LLVM::LLVMFuncOp EntryWriter::declare(StringRef name, ArrayRef<Type> arguments, Type result) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(module.getBody());
  auto function = LLVM::LLVMFuncOp::create(builder, location, name,
                                           LLVM::LLVMFunctionType::get(result, arguments));
  function.addEntryBlock(builder);
  return function;
}

void EntryWriter::writeArenaSize(const ConcreteEntry &concrete, func::FuncOp size) {
  Type i64 = builder.getI64Type();
  LLVM::LLVMFuncOp function = declare(concrete.arenaSymbol, {pointer}, i64);
  builder.setInsertionPointToEnd(&function.front());
  SmallVector<Value> sizes;
  for (unsigned i = 0; i < size.getNumArguments(); ++i)
    sizes.push_back(sizeOf(size.getArgAttrOfType<IntegerAttr>(i, "fw.symbol").getInt(),
                           function.getArgument(0)));
  size.removeArgAttrsAttr(); // As in write().
  Value bytes = func::CallOp::create(builder, location, size, sizes).getResult(0);
  LLVM::ReturnOp::create(builder, location,
                         Value(arith::IndexCastOp::create(builder, location, i64, bytes)));
}

/// Whether the caller's sizes are what this function is for; null if there is nothing to check.
Value EntryWriter::checkDims(const Entry &entry, const ConcreteEntry &concrete, Value dims) {
  Value good;
  for (int64_t symbol = 0; symbol < entry.dimCount; ++symbol) {
    Value size = load(builder.getI64Type(), dims, symbol);
    auto predicate = concrete.general ? LLVM::ICmpPredicate::sge : LLVM::ICmpPredicate::eq;
    Value wanted = constant(builder.getI64Type(), concrete.general ? 0 : concrete.dims[symbol]);
    Value holds = LLVM::ICmpOp::create(builder, location, predicate, size, wanted);
    good = good ? LLVM::AndOp::create(builder, location, good, holds).getResult() : holds;
  }
  return good;
}

/// parallel_for and its pool; null if there is no context.
void EntryWriter::loadContext(Value context, SmallVectorImpl<Value> &arguments) {
  Value null = LLVM::ZeroOp::create(builder, location, pointer);
  Value absent = LLVM::ICmpOp::create(builder, location, LLVM::ICmpPredicate::eq, context, null);
  // Something to read in its place: two null pointers on the stack.
  Type pair = LLVM::LLVMArrayType::get(pointer, 2);
  Value none =
      LLVM::AllocaOp::create(builder, location, pointer, pair, constant(builder.getI64Type(), 1));
  LLVM::StoreOp::create(builder, location, LLVM::ZeroOp::create(builder, location, pair), none);
  Value present = LLVM::SelectOp::create(builder, location, absent, none, context);
  arguments.push_back(load(pointer, present, 0));
  arguments.push_back(load(pointer, present, 1));
}

FailureOr<Value> EntryWriter::argument(func::FuncOp host, unsigned index, ValueRange given,
                                       unsigned &buffer) {
  if (auto symbol = host.getArgAttrOfType<IntegerAttr>(index, "fw.symbol"))
    return sizeOf(symbol.getInt(), given[Dims]);
  auto type = cast<MemRefType>(host.getArgumentTypes()[index]);
  BufferBuilder buffers(builder, types);
  if (host.getArgAttr(index, "fw.arena")) {
    // Its size is the planner's affair; nothing reads it off the buffer.
    Value any = arith::ConstantIndexOp::create(builder, location, 0);
    return buffers.fromPointer(location, given[Arena], type, any);
  }
  if (auto name = host.getArgAttrOfType<FlatSymbolRefAttr>(index, "fw.variable")) {
    const StateVariable *variable = layout.find(name.getValue());
    Value base = layout.isMutable() ? given[State] : given[Constants];
    return buffers.fromPointer(location, byteOffset(base, variable->offset), type);
  }
  if (!host.getArgAttr(index, "fw.role"))
    return host.emitError() << "argument #" << index
                            << " is no buffer, variable or size: nobody can give it";
  SmallVector<Value> sizes;
  auto symbols = host.getArgAttrOfType<DenseI64ArrayAttr>(index, "fw.symbols");
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (type.isDynamicDim(i))
      sizes.push_back(sizeOf(symbols[i], given[Dims]));
  return buffers.fromPointer(location, load(pointer, given[Buffers], buffer++), type, sizes);
}

FailureOr<SmallVector<Value>> EntryWriter::gather(func::FuncOp host, ValueRange given) {
  SmallVector<Value> arguments;
  loadContext(given[Context], arguments);
  unsigned buffer = 0;
  for (unsigned i = arguments.size(); i < host.getNumArguments(); ++i) {
    FailureOr<Value> value = argument(host, i, given, buffer);
    if (failed(value))
      return failure();
    arguments.push_back(*value);
  }
  return arguments;
}

LogicalResult EntryWriter::write(const Entry &entry, const ConcreteEntry &concrete) {
  auto host = module.lookupSymbol<func::FuncOp>(concrete.function);
  location = host.getLoc();
  writeArenaSize(concrete, module.lookupSymbol<func::FuncOp>(concrete.function + ".arena"));

  Type i32 = builder.getI32Type();
  LLVM::LLVMFuncOp function = declare(concrete.symbol, SmallVector<Type>(6, pointer), i32);
  Block *block = &function.front();
  builder.setInsertionPointToEnd(block);
  if (Value good = checkDims(entry, concrete, function.getArgument(Dims))) {
    Block *bad = function.addBlock(), *run = function.addBlock();
    LLVM::CondBrOp::create(builder, location, good, run, bad);
    builder.setInsertionPointToEnd(bad);
    LLVM::ReturnOp::create(builder, location, constant(i32, FORMWORK_BAD_DIMS));
    builder.setInsertionPointToEnd(run);
  }
  FailureOr<SmallVector<Value>> arguments = gather(host, function.getArguments());
  if (failed(arguments))
    return failure();
  // The host function is not inlined: no arithmetic moves across the change of mode.
  Value mode = flushDenormals(builder, location, target);
  func::CallOp::create(builder, location, host, *arguments);
  restoreMode(builder, location, target, mode);
  LLVM::ReturnOp::create(builder, location, constant(i32, FORMWORK_OK));

  // What arguments are for is settled by now; LLVM knows no such attributes.
  host.removeArgAttrsAttr();
  host.setPrivate();
  host.removeArgAttrsAttr(); // Their numbers have done their duty; LLVM knows no such attribute.
  host->setAttr("llvm.linkage",
                LLVM::LinkageAttr::get(module.getContext(), LLVM::linkage::Linkage::Internal));
  host->setAttr("passthrough", builder.getStrArrayAttr({"noinline"}));
  return success();
}

namespace {
struct EntryPoints : impl::EntryPointsBase<EntryPoints> {
  using EntryPointsBase::EntryPointsBase;
  void runOnOperation() override {
    StateLayout layout(getOperation());
    llvm::Triple triple(target);
    EntryWriter writer(getOperation(), layout, triple);
    for (const Entry &entry : readEntries(getOperation(), name))
      for (const ConcreteEntry &concrete : entry.concretes)
        if (failed(writer.write(entry, concrete)))
          return signalPassFailure();
    for (auto variable : llvm::to_vector(getOperation().getOps<VariableOp>()))
      variable.erase();
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function.getName().ends_with(".arena"))
        function->setAttr("llvm.linkage",
                          LLVM::LinkageAttr::get(&getContext(), LLVM::linkage::Linkage::Internal));
  }
};
} // namespace

} // namespace formwork
