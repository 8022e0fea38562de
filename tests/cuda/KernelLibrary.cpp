#include "tests/cuda/KernelLibrary.h"

#include "codegen/cuda/Source.h"
#include "codegen/source/FunctionPrinter.h"
#include "tests/support/HostCompiler.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/FormatVariadic.h"

#include <dlfcn.h>

using namespace mlir;

namespace formwork::test {

/// The function that counts a kernel's blocks, as ordinary C++.
static LogicalResult printBlocks(func::FuncOp kernel, StringRef name, raw_ostream &out) {
  auto blocks = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
      kernel, StringAttr::get(kernel.getContext(), kernel.getName() + ".blocks"));
  if (!blocks)
    return kernel.emitError() << "nothing counts its blocks";
  source::Language language;
  source::Symbols symbols;
  source::Scope names;
  return source::FunctionPrinter(language, symbols, names, out)
      .print(blocks, ("static int64_t blocks_" + name).str());
}

/// The printed file, and for each kernel what counts its blocks and what launches it.
static FailureOr<std::string> sourceOf(ModuleOp module) {
  FailureOr<std::string> printed = cuda::printKernels(module);
  if (failed(printed))
    return failure();
  std::string text = *printed + "\n";
  llvm::raw_string_ostream out(text);
  bool failed = false;
  module.walk([&](func::FuncOp function) {
    if (!cuda::isKernel(function))
      return;
    std::string name = cuda::kernelName(function.getName());
    failed |= llvm::failed(printBlocks(function, name, out));
    out << llvm::formatv("extern \"C\" void launch_{0}(void **arguments) {{\n"
                         "  cuda_on_cpu::launch(\"{0}\", {0}, blocks_{0}, {1}, arguments);\n"
                         "}\n",
                         name, function->getAttrOfType<IntegerAttr>("fw.threads").getInt());
  });
  if (failed)
    return failure();
  return text;
}

static bool isSanitized() { return getenv("FORMWORK_CUDA_SANITIZE"); }

static HostCompiler makeCompiler() {
  std::vector<std::string> options = {"-O1", "-w", "-I" SOURCE_ROOT};
  // The program is run with AddressSanitizer's library loaded before all others.
  if (isSanitized())
    options.insert(options.end(), {"-fsanitize=address", "-g1"});
  return HostCompiler(isSanitized() ? SANITIZING_COMPILER : HOST_COMPILER, options,
                      {"kernels.h", "#include \"tests/cuda/cuda_on_cpu.h\"\n"});
}

static const HostCompiler &compiler() {
  static const HostCompiler compiler = makeCompiler();
  return compiler;
}

void KernelLibrary::prepare() { (void)compiler(); }

std::unique_ptr<KernelLibrary> KernelLibrary::create(ModuleOp module) {
  FailureOr<std::string> text = sourceOf(module);
  if (failed(text))
    return nullptr;
  void *library = compiler().load(SourceFile{"kernels.cpp", *text});
  return library ? std::unique_ptr<KernelLibrary>(new KernelLibrary(library)) : nullptr;
}

KernelLibrary::Launch *KernelLibrary::launch(StringRef kernel) const {
  return reinterpret_cast<Launch *>(dlsym(library, ("launch_" + cuda::kernelName(kernel)).c_str()));
}

} // namespace formwork::test
