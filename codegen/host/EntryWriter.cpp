// The part of entries that is alike on all targets; see EntryWriter.h.
#include "codegen/host/EntryWriter.h"
#include "codegen/host/Buffers.h"
#include "runtime/formwork.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace formwork {

EntryWriter::EntryWriter(ModuleOp module, const StateLayout &layout)
    : module(module), types(module.getContext()),
      pointer(LLVM::LLVMPointerType::get(module.getContext())), builder(module.getContext()),
      location(module.getLoc()), layout(layout) {}

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

SmallVector<Value> EntryWriter::loadContext(Value context, int count) {
  Value null = LLVM::ZeroOp::create(builder, location, pointer);
  Value absent = LLVM::ICmpOp::create(builder, location, LLVM::ICmpPredicate::eq, context, null);
  // Something to read in its place: null pointers on the stack.
  Type nulls = LLVM::LLVMArrayType::get(pointer, count);
  Value none =
      LLVM::AllocaOp::create(builder, location, pointer, nulls, constant(builder.getI64Type(), 1));
  LLVM::StoreOp::create(builder, location, LLVM::ZeroOp::create(builder, location, nulls), none);
  Value present = LLVM::SelectOp::create(builder, location, absent, none, context);
  SmallVector<Value> fields;
  for (int i = 0; i < count; ++i)
    fields.push_back(load(pointer, present, i));
  return fields;
}

void EntryWriter::returnStatus(int status) {
  LLVM::ReturnOp::create(builder, location, constant(builder.getI32Type(), status));
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

LogicalResult EntryWriter::gather(func::FuncOp host, ValueRange given,
                                  SmallVectorImpl<Value> &arguments) {
  unsigned buffer = 0;
  for (unsigned i = arguments.size(); i < host.getNumArguments(); ++i) {
    FailureOr<Value> value = argument(host, i, given, buffer);
    if (failed(value))
      return failure();
    arguments.push_back(*value);
  }
  return success();
}

LogicalResult EntryWriter::write(const Entry &entry, const ConcreteEntry &concrete) {
  auto host = module.lookupSymbol<func::FuncOp>(concrete.function);
  location = host.getLoc();
  writeArenaSize(concrete, module.lookupSymbol<func::FuncOp>(concrete.function + ".arena"));

  LLVM::LLVMFuncOp function =
      declare(concrete.symbol, SmallVector<Type>(givenCount, pointer), builder.getI32Type());
  Block *block = &function.front();
  builder.setInsertionPointToEnd(block);
  if (Value good = checkDims(entry, concrete, function.getArgument(Dims))) {
    Block *bad = function.addBlock(), *run = function.addBlock();
    LLVM::CondBrOp::create(builder, location, good, run, bad);
    builder.setInsertionPointToEnd(bad);
    returnStatus(FORMWORK_BAD_DIMS);
    builder.setInsertionPointToEnd(run);
  }
  if (failed(writeRun(host, function, concrete)))
    return failure();

  // What arguments are for is settled by now; LLVM knows no such attributes.
  host.removeArgAttrsAttr();
  host.setPrivate();
  host->setAttr("llvm.linkage",
                LLVM::LinkageAttr::get(module.getContext(), LLVM::linkage::Linkage::Internal));
  host->setAttr("passthrough", builder.getStrArrayAttr({"noinline"}));
  return success();
}

bool writeEntries(ModuleOp module, ArrayRef<Entry> entries, EntryWriter &writer) {
  for (const Entry &entry : entries)
    for (const ConcreteEntry &concrete : entry.concretes)
      if (failed(writer.write(entry, concrete)))
        return false;
  for (auto variable : llvm::to_vector(module.getOps<VariableOp>()))
    variable.erase();
  auto internal = LLVM::LinkageAttr::get(module.getContext(), LLVM::linkage::Linkage::Internal);
  for (auto function : module.getOps<func::FuncOp>())
    if (function.getName().ends_with(".arena"))
      function->setAttr("llvm.linkage", internal);
  return true;
}

} // namespace formwork
