// Between functions a buffer is a pointer and the sizes that its type does not tell. Buffers are
// row-major, without an offset: what begins elsewhere was rebased by LowerLaunches.
#include "codegen/host/Buffers.h"
#include "codegen/host/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_PASSPOINTERS
#include "codegen/host/Passes.h.inc"

static bool passesBuffers(TypeRange types) {
  return llvm::any_of(types, [](Type type) { return isa<MemRefType>(type); });
}

/// Attributes for what is passed of one argument: those of a buffer are its pointer's.
static void addAttributes(func::FuncOp function, unsigned argument, size_t passed,
                          SmallVectorImpl<DictionaryAttr> &attributes) {
  DictionaryAttr none = DictionaryAttr::get(function.getContext());
  DictionaryAttr own = function.getArgAttrDict(argument);
  attributes.push_back(own ? own : none);
  attributes.append(passed - 1, none);
}

static void receivePointers(func::FuncOp function, LLVMTypeConverter &types) {
  Block &body = function.front();
  auto builder = OpBuilder::atBlockBegin(&body);
  BufferBuilder buffers(builder, types);
  SmallVector<Type> passedTypes;
  SmallVector<DictionaryAttr> attributes;
  unsigned count = function.getNumArguments();
  for (unsigned i = 0; i < count; ++i) {
    Location location = body.getArgument(i).getLoc();
    SmallVector<Type> own;
    buffers.passedTypes(body.getArgument(i).getType(), own);
    addAttributes(function, i, own.size(), attributes);
    SmallVector<Value> passed;
    for (Type type : own)
      passed.push_back(body.addArgument(type, location));
    ValueRange remaining = passed;
    Value buffer = buffers.received(location, body.getArgument(i).getType(), remaining);
    body.getArgument(i).replaceAllUsesWith(buffer);
    llvm::append_range(passedTypes, own);
  }
  body.eraseArguments(0, count);
  function.setType(
      FunctionType::get(function.getContext(), passedTypes, function.getResultTypes()));
  function.setAllArgAttrs(attributes);
}

static void passPointers(func::CallOp call, LLVMTypeConverter &types) {
  OpBuilder builder(call);
  BufferBuilder buffers(builder, types);
  SmallVector<Value> passed;
  for (Value operand : call.getOperands())
    buffers.pass(operand, passed);
  call.getOperandsMutable().assign(passed);
}

namespace {
struct PassPointers : impl::PassPointersBase<PassPointers> {
  void runOnOperation() override {
    LLVMTypeConverter types(&getContext());
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && passesBuffers(function.getArgumentTypes()))
        receivePointers(function, types);
    // Then: what is only handed on needs no descriptor.
    getOperation().walk([&](func::CallOp call) {
      if (passesBuffers(call.getOperandTypes()))
        passPointers(call, types);
    });
  }
};
} // namespace

} // namespace formwork
