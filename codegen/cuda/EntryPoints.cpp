// fw-cuda-entry-points: the C interface of runtime/formwork.h around host functions that were
// lowered by fw-cuda-host.
//
//   int32 NAME_ENTRY__DIMS(context, constants, state, arena, dims, buffers)
//     on the context's device, through formwork_cuda_run and NAME_ENTRY__DIMS__program;
//     without a device, NAME_ENTRY__DIMS__host, the CPU's code, or FORMWORK_NO_DEVICE
//   void NAME_ENTRY__DIMS__body(device, constants, state, arena, dims, buffers)
//     what the program points to: finds arguments and runs the host function
#include "codegen/cuda/Passes.h"
#include "codegen/host/EntryWriter.h"
#include "runtime/formwork.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_CUDAENTRYPOINTS
#include "codegen/cuda/Passes.h.inc"

namespace {
class DeviceEntryWriter : public EntryWriter {
public:
  DeviceEntryWriter(ModuleOp module, const StateLayout &layout, StringRef hostSuffix)
      : EntryWriter(module, layout), hostSuffix(hostSuffix) {}

private:
  LogicalResult writeRun(func::FuncOp host, LLVM::LLVMFuncOp function,
                         const ConcreteEntry &concrete) override;
  LogicalResult writeBody(func::FuncOp host, StringRef name);
  void writeWithoutDevice(LLVM::LLVMFuncOp function, const ConcreteEntry &concrete);
  LLVM::LLVMFuncOp external(StringRef name, ArrayRef<Type> arguments, Type result);
  LLVM::GlobalOp program(StringRef name);

  StringRef hostSuffix;
};
} // namespace

LLVM::LLVMFuncOp DeviceEntryWriter::external(StringRef name, ArrayRef<Type> arguments,
                                             Type result) {
  if (auto known = module.lookupSymbol<LLVM::LLVMFuncOp>(name))
    return known;
  OpBuilder outer = OpBuilder::atBlockBegin(module.getBody());
  auto function = LLVM::LLVMFuncOp::create(outer, location, name,
                                           LLVM::LLVMFunctionType::get(result, arguments));
  function.setVisibility_(LLVM::Visibility::Hidden);
  return function;
}

/// Only its address is of interest here.
LLVM::GlobalOp DeviceEntryWriter::program(StringRef name) {
  OpBuilder outer = OpBuilder::atBlockBegin(module.getBody());
  auto global = LLVM::GlobalOp::create(outer, location, outer.getI8Type(), /*isConstant=*/true,
                                       LLVM::Linkage::External, name, Attribute());
  global.setVisibility_(LLVM::Visibility::Hidden);
  return global;
}

LogicalResult DeviceEntryWriter::writeBody(func::FuncOp host, StringRef name) {
  OpBuilder::InsertionGuard guard(builder);
  LLVM::LLVMFuncOp body = declare(name, SmallVector<Type>(givenCount, pointer),
                                  LLVM::LLVMVoidType::get(module.getContext()));
  body.setVisibility_(LLVM::Visibility::Hidden);
  builder.setInsertionPointToEnd(&body.front());
  // The device, where other targets have the context.
  SmallVector<Value> arguments{body.getArgument(Context)};
  if (failed(gather(host, body.getArguments(), arguments)))
    return failure();
  func::CallOp::create(builder, location, host, arguments);
  LLVM::ReturnOp::create(builder, location, ValueRange());
  return success();
}

void DeviceEntryWriter::writeWithoutDevice(LLVM::LLVMFuncOp function,
                                           const ConcreteEntry &concrete) {
  if (hostSuffix.empty())
    return returnStatus(FORMWORK_NO_DEVICE);
  LLVM::LLVMFuncOp onHost = external(concrete.symbol + hostSuffix.str(),
                                     function.getArgumentTypes(), builder.getI32Type());
  auto call = LLVM::CallOp::create(builder, location, onHost, function.getArguments());
  LLVM::ReturnOp::create(builder, location, call.getResult());
}

LogicalResult DeviceEntryWriter::writeRun(func::FuncOp host, LLVM::LLVMFuncOp function,
                                          const ConcreteEntry &concrete) {
  if (failed(writeBody(host, concrete.symbol + "__body")))
    return failure();
  constexpr int contextFields = 3, deviceField = 2;
  Value device = loadContext(function.getArgument(Context), contextFields)[deviceField];
  Value null = LLVM::ZeroOp::create(builder, location, pointer);
  Value present = LLVM::ICmpOp::create(builder, location, LLVM::ICmpPredicate::ne, device, null);
  Block *run = function.addBlock(), *otherwise = function.addBlock();
  LLVM::CondBrOp::create(builder, location, present, run, otherwise);
  builder.setInsertionPointToEnd(otherwise);
  writeWithoutDevice(function, concrete);
  builder.setInsertionPointToEnd(run);
  Type i32 = builder.getI32Type();
  LLVM::LLVMFuncOp runner =
      external("formwork_cuda_run", SmallVector<Type>(1 + givenCount, pointer), i32);
  SmallVector<Value> arguments{
      LLVM::AddressOfOp::create(builder, location, program(concrete.symbol + "__program"))};
  llvm::append_range(arguments, function.getArguments());
  auto call = LLVM::CallOp::create(builder, location, runner, arguments);
  LLVM::ReturnOp::create(builder, location, call.getResult());
  return success();
}

namespace {
struct CUDAEntryPoints : impl::CUDAEntryPointsBase<CUDAEntryPoints> {
  using CUDAEntryPointsBase::CUDAEntryPointsBase;
  void runOnOperation() override {
    StateLayout layout(getOperation());
    DeviceEntryWriter writer(getOperation(), layout, hostSuffix);
    if (!writeEntries(getOperation(), readEntries(getOperation(), name), writer))
      signalPassFailure();
  }
};
} // namespace

} // namespace formwork
