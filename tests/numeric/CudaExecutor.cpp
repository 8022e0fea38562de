// The GPU's kernels as an executor: printed as CUDA C++, compiled as ordinary C++ against
// tests/cuda/cuda_on_cpu.h, and called by the host code that the CPU path makes.
//
// In place of each kernel stands a function, in the form that the CPU's kernels have, that counts
// blocks, puts its arguments where cuLaunchKernel wants them, and calls the printed kernel.
#include "codegen/Codegen.h"
#include "codegen/cuda/Passes.h"
#include "codegen/cuda/Source.h"
#include "passes/Passes.h"
#include "tests/numeric/Executor.h"
#include "tests/numeric/HostProgram.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Program.h"

#include <dlfcn.h>

using namespace mlir;

namespace formwork::test {

//===--- printed kernels as a library ------------------------------------------------------------

/// What is compiled: the printed file, and a function per kernel that launches it.
static FailureOr<std::string> sourceOf(ModuleOp module) {
  FailureOr<std::string> printed = cuda::printKernels(module);
  if (failed(printed))
    return failure();
  std::string text = "#include \"tests/cuda/cuda_on_cpu.h\"\n\n" + *printed + "\n";
  module.walk([&](func::FuncOp function) {
    if (!cuda::isKernel(function))
      return;
    std::string name = cuda::kernelName(function.getName());
    text += llvm::formatv("extern \"C\" void launch_{0}(long long blocks, void **arguments) {{\n"
                          "  cuda_on_cpu::launch(\"{0}\", {0}, unsigned(blocks), {1}, arguments);\n"
                          "}\n",
                          name, function->getAttrOfType<IntegerAttr>("fw.threads").getInt());
  });
  return text;
}

/// Null if it does not compile: the compiler has said why.
static void *compileAndLoad(const std::string &text) {
  SmallString<128> source, library;
  int file;
  if (llvm::sys::fs::createTemporaryFile("formwork-kernels", "cpp", file, source) ||
      llvm::sys::fs::createTemporaryFile("formwork-kernels", "so", library))
    return nullptr;
  llvm::raw_fd_ostream(file, /*shouldClose=*/true) << text;
  SmallVector<StringRef> command = {
      HOST_COMPILER,   "-std=c++17",     "-O1",  "-w", "-shared", "-fPIC", "-ffp-contract=off",
      "-march=native", "-I" SOURCE_ROOT, source, "-o", library};
  // The program itself is then run with AddressSanitizer's library loaded before all others.
  if (getenv("FORMWORK_CUDA_SANITIZE"))
    command.append({"-fsanitize=address", "-shared-libsan", "-g1"});
  int status = llvm::sys::ExecuteAndWait(HOST_COMPILER, command);
  void *loaded = status == 0 ? dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL) : nullptr;
  if (loaded)
    llvm::sys::fs::remove(source);
  llvm::sys::fs::remove(library);
  return loaded;
}

//===--- what takes a kernel's place -------------------------------------------------------------

namespace {
class KernelCaller {
public:
  KernelCaller(func::FuncOp kernel, func::FuncOp blocks, void *launch)
      : kernel(kernel), blocks(blocks), launch(launch), context(kernel.getContext()),
        pointer(LLVM::LLVMPointerType::get(context)) {}

  void write();

private:
  Value constant(ImplicitLocOpBuilder &builder, int64_t value) {
    return LLVM::ConstantOp::create(builder, builder.getI64Type(),
                                    builder.getI64IntegerAttr(value));
  }
  SmallVector<Value> parameters(ImplicitLocOpBuilder &builder, ValueRange arguments);

  func::FuncOp kernel, blocks;
  void *launch;
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
  llvm::append_range(types, blocks.getArgumentTypes());
  std::string name = kernel.getName().str();
  kernel.setName(name + ".device");
  auto caller = func::FuncOp::create(builder, name, builder.getFunctionType(types, {}));
  caller.setPrivate();
  builder.setInsertionPointToStart(caller.addEntryBlock());
  ValueRange arguments = caller.getArguments().drop_front(2);
  IRMapping mapping;
  mapping.map(blocks.getArguments(), arguments);
  for (Operation &op : blocks.front().without_terminator())
    builder.clone(op, mapping);
  Value count = arith::IndexCastOp::create(
      builder, builder.getI64Type(), mapping.lookup(blocks.front().getTerminator()->getOperand(0)));
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
  auto signature = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context),
                                               {builder.getI64Type(), pointer});
  LLVM::CallOp::create(builder, signature, ValueRange{function, count, list});
  func::ReturnOp::create(builder);
  kernel.erase();
  blocks.erase();
}

//===--- the executor ----------------------------------------------------------------------------

/// Replaces all kernels of the module; false if one is not in the library.
static bool callLibrary(ModuleOp module, void *library) {
  module.getContext()->loadDialect<LLVM::LLVMDialect>();
  SmallVector<func::FuncOp> kernels;
  module.walk([&](func::FuncOp function) {
    if (cuda::isKernel(function))
      kernels.push_back(function);
  });
  for (func::FuncOp kernel : kernels) {
    std::string symbol = "launch_" + cuda::kernelName(kernel.getName());
    void *launch = dlsym(library, symbol.c_str());
    auto blocks = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
        kernel, StringAttr::get(kernel.getContext(), kernel.getName() + ".blocks"));
    if (!launch || !blocks)
      return false;
    KernelCaller(kernel, blocks, launch).write();
  }
  return true;
}

namespace {
class CudaExecutor : public Executor {
public:
  StringRef name() const override { return "cuda"; }
  bool sumsAlikeWithUnknownSizes() const override { return false; }

  std::unique_ptr<Program> compilePure(ModuleOp module) override {
    return compileHostProgram(module, [](ModuleOp planned) {
      PassManager passes(planned.getContext());
      buildCUDATilePipeline(passes);
      if (failed(passes.run(planned)))
        return failure();
      FailureOr<std::string> source = sourceOf(planned);
      void *library = failed(source) ? nullptr : compileAndLoad(*source);
      return success(library && callLibrary(planned, library));
    });
  }
};
} // namespace

std::unique_ptr<Executor> makeCudaExecutor() { return std::make_unique<CudaExecutor>(); }

} // namespace formwork::test
