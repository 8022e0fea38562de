#include "tests/cuda/CallKernels.h"

#include "codegen/cuda/Passes.h"
#include "codegen/cuda/Source.h"
#include "tests/cuda/KernelLibrary.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;

namespace formwork::test {

namespace {
class KernelCaller {
public:
  KernelCaller(func::FuncOp kernel, KernelLibrary::Launch *launch)
      : kernel(kernel), launch(launch), context(kernel.getContext()),
        pointer(LLVM::LLVMPointerType::get(context)) {}

  void write();

private:
  Value constant(ImplicitLocOpBuilder &builder, int64_t value) {
    return LLVM::ConstantOp::create(builder, builder.getI64Type(),
                                    builder.getI64IntegerAttr(value));
  }
  SmallVector<Value> parameters(ImplicitLocOpBuilder &builder, ValueRange arguments);

  func::FuncOp kernel;
  KernelLibrary::Launch *launch;
  MLIRContext *context;
  Type pointer;
};
} // namespace

/// Pointers, each followed by the sizes that are not known; scalars.
SmallVector<Value> KernelCaller::parameters(ImplicitLocOpBuilder &builder, ValueRange arguments) {
  SmallVector<Value> all;
  auto integer = [&](Value index) -> Value {
    return arith::IndexCastOp::create(builder, builder.getI64Type(), index);
  };
  for (Value argument : arguments) {
    auto type = dyn_cast<MemRefType>(argument.getType());
    if (!type) {
      all.push_back(argument.getType().isIndex() ? integer(argument) : argument);
      continue;
    }
    Value address = memref::ExtractAlignedPointerAsIndexOp::create(builder, argument);
    all.push_back(LLVM::IntToPtrOp::create(builder, pointer, integer(address)));
    for (int64_t i = 0; i < type.getRank(); ++i)
      if (type.isDynamicDim(i))
        all.push_back(integer(memref::DimOp::create(builder, argument, i)));
  }
  return all;
}

void KernelCaller::write() {
  ImplicitLocOpBuilder builder(kernel.getLoc(), kernel);
  SmallVector<Type> types(2, builder.getIndexType());
  llvm::append_range(types, kernel.getArgumentTypes());
  std::string name = kernel.getName().str();
  kernel.setName(name + ".device");
  auto caller = func::FuncOp::create(builder, name, builder.getFunctionType(types, {}));
  caller.setPrivate();
  builder.setInsertionPointToStart(caller.addEntryBlock());
  ValueRange arguments = caller.getArguments().drop_front(2);
  SmallVector<Value> given = parameters(builder, arguments);
  Value list = LLVM::AllocaOp::create(builder, pointer, pointer,
                                      constant(builder, std::max<size_t>(given.size(), 1)));
  for (auto [i, value] : llvm::enumerate(given)) {
    Value slot = LLVM::AllocaOp::create(builder, pointer, value.getType(), constant(builder, 1));
    LLVM::StoreOp::create(builder, value, slot);
    Value place =
        LLVM::GEPOp::create(builder, pointer, pointer, list, ArrayRef<LLVM::GEPArg>{int32_t(i)});
    LLVM::StoreOp::create(builder, slot, place);
  }
  Value function = LLVM::IntToPtrOp::create(builder, pointer,
                                            constant(builder, reinterpret_cast<intptr_t>(launch)));
  auto signature = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), {pointer});
  LLVM::CallOp::create(builder, signature, ValueRange{function, list});
  func::ReturnOp::create(builder);
  kernel.erase();
}

//===--- all of them -----------------------------------------------------------------------------

static void callLibrary(ModuleOp module, const KernelLibrary &library) {
  module.getContext()->loadDialect<LLVM::LLVMDialect>();
  SmallVector<func::FuncOp> kernels;
  module.walk([&](func::FuncOp function) {
    if (cuda::isKernel(function))
      kernels.push_back(function);
    else if (function->hasAttr("fw.kernel") || function.getName().starts_with("fw_"))
      function.erase(); // it counts blocks, or helps, as the library does
  });
  for (func::FuncOp kernel : kernels)
    KernelCaller(kernel, library.launch(kernel.getName())).write();
}

LogicalResult callKernelsOnCpu(ModuleOp planned) {
  PassManager passes(planned.getContext());
  buildCUDATilePipeline(passes);
  if (failed(passes.run(planned)))
    return failure();
  auto library = KernelLibrary::create(planned);
  if (library)
    callLibrary(planned, *library);
  return success(bool(library));
}

} // namespace formwork::test
