// kernel_library MODULE.mlir LIBRARY.so NAME: pure functions of the fw dialect, each an entry, as a
// shared library with a descriptor: what the benchmark of single kernels calls.
#include "codegen/Codegen.h"
#include "codegen/StateLayout.h"
#include "codegen/package/Describe.h"
#include "codegen/package/Package.h"
#include "passes/Passes.h"
#include "tools/Dialects.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/TargetParser/Host.h"

using namespace mlir;
using namespace formwork;

static LogicalResult compile(ModuleOp module, StringRef path, StringRef name) {
  PassManager passes(module->getName());
  buildKernelsPipeline(passes);
  buildPlanPipeline(passes);
  if (failed(passes.run(module)))
    return failure();
  StateLayout layout(module);
  CPUOptions options;
  options.name = name.str();
  auto artifact = compileForCPU(module, options);
  if (failed(artifact))
    return failure();
  package::Description description =
      package::describe(artifact->entries, artifact->target, layout, name);
  StringRef object(artifact->object.data(), artifact->object.size());
  llvm::Triple triple(llvm::sys::getDefaultTargetTriple());
  if (llvm::Error error = package::writePackage(package::Kind::SharedLibrary, path, description,
                                                object, triple, /*libraryFolder=*/"")) {
    llvm::errs() << llvm::toString(std::move(error)) << "\n";
    return failure();
  }
  return success();
}

int main(int argc, char **argv) {
  if (argc != 4) {
    llvm::errs() << "usage: kernel_library MODULE.mlir LIBRARY.so NAME\n";
    return 2;
  }
  DialectRegistry registry;
  registerDialects(registry);
  MLIRContext context(registry);
  auto module = parseSourceFile<ModuleOp>(argv[1], &context);
  return module && succeeded(compile(*module, argv[2], argv[3])) ? 0 : 1;
}
