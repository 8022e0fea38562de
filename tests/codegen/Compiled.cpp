// Compiles in memory, links with the system's compiler driver, loads with dlopen.
#include "tests/codegen/Compiled.h"

#include "ir/Machine.h"
#include "passes/Passes.h"
#include "tools/Dialects.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"

#include <dlfcn.h>

using namespace mlir;

namespace formwork::test {

static std::string link(const Artifact &artifact) {
  llvm::SmallString<64> object, library;
  int file;
  EXPECT_FALSE(llvm::sys::fs::createTemporaryFile("formwork", "o", file, object));
  llvm::raw_fd_ostream(file, true) << StringRef(artifact.object.data(), artifact.object.size());
  EXPECT_FALSE(llvm::sys::fs::createTemporaryFile("formwork", "so", library));
  auto compiler = llvm::sys::findProgramByName("c++");
  EXPECT_TRUE(bool(compiler));
  int status = llvm::sys::ExecuteAndWait(
      *compiler, {*compiler, "-shared", "-o", library.str(), object.str(), "-lm"});
  EXPECT_EQ(status, 0);
  (void)llvm::sys::fs::remove(object);
  return library.str().str();
}

std::unique_ptr<Compiled> Compiled::create(const std::string &moduleText, Pipeline pipeline) {
  DialectRegistry registry;
  registerDialects(registry);
  auto owner = std::make_unique<MLIRContext>(registry);
  MLIRContext &context = *owner;
  auto module = parseSourceString<ModuleOp>(moduleText, &context);
  EXPECT_TRUE(bool(module));
  if (!module)
    return nullptr;
  PassManager passes(&context);
  if (pipeline.differentiate)
    buildModelPipeline(passes);
  if (pipeline.manyThreads)
    (*module)->setAttr(manyThreadsAttr, UnitAttr::get(&context));
  buildKernelsPipeline(passes, {pipeline.fuse, pipeline.pool});
  if (pipeline.beforePlan)
    pipeline.beforePlan(passes);
  buildPlanPipeline(passes);
  EXPECT_TRUE(succeeded(passes.run(*module)));
  if (pipeline.schedule && failed(pipeline.schedule(*module)))
    return nullptr;
  auto result = std::make_unique<Compiled>();
  result->context = std::move(owner);
  StateLayout layout(*module);
  result->layout = layout.variables().vec();
  for (const StateVariable &variable : layout.variables())
    result->offsets[variable.name] = variable.offset;
  result->state.lines.resize(layout.size() / 64 + 1);
  CPUOptions options;
  options.name = "test";
  options.unoptimized = pipeline.unoptimized;
  auto artifact = compileForCPU(*module, options);
  EXPECT_TRUE(succeeded(artifact));
  if (failed(artifact))
    return nullptr;
  result->compiled = std::move(*artifact);
  result->path = link(result->compiled);
  result->library = dlopen(result->path.c_str(), RTLD_NOW | RTLD_LOCAL);
  EXPECT_NE(result->library, nullptr) << dlerror();
  return result;
}

Compiled::~Compiled() {
  if (library)
    dlclose(library);
  (void)llvm::sys::fs::remove(path);
}

void *Compiled::symbol(const std::string &name) {
  void *address = dlsym(library, name.c_str());
  EXPECT_NE(address, nullptr) << name;
  return address;
}

int64_t Compiled::arenaBytes(const std::string &entry, const std::string &suffix,
                             std::vector<int64_t> dims) {
  auto size =
      reinterpret_cast<int64_t (*)(const int64_t *)>(symbol("test_" + entry + "_arena__" + suffix));
  return size(dims.data());
}

int Compiled::call(const std::string &entry, const std::string &suffix, std::vector<int64_t> dims,
                   std::vector<void *> buffers, const formwork_context *context) {
  auto run = reinterpret_cast<formwork_function *>(symbol("test_" + entry + "__" + suffix));
  int64_t bytes = arenaBytes(entry, suffix, dims);
  // NaNs, and a line of canaries on both sides.
  std::vector<Line> arena(bytes / 64 + 3);
  memset(arena.data(), 0xff, arena.size() * sizeof(Line));
  int status =
      run(context, state.data(), state.data(), arena[1].bytes, dims.data(), buffers.data());
  const char *end = arena[1].bytes + bytes;
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(arena[0].bytes[i], char(0xff)) << "written before the arena";
    EXPECT_EQ(end[i], char(0xff)) << "written past the arena";
  }
  return status;
}

std::vector<std::string> Compiled::undefinedSymbols() const {
  llvm::MemoryBufferRef buffer(StringRef(compiled.object.data(), compiled.object.size()), "object");
  auto object = llvm::cantFail(llvm::object::ObjectFile::createObjectFile(buffer));
  std::vector<std::string> names;
  for (const llvm::object::SymbolRef &symbol : object->symbols())
    if (llvm::cantFail(symbol.getFlags()) & llvm::object::SymbolRef::SF_Undefined)
      names.push_back(llvm::cantFail(symbol.getName()).str());
  return names;
}

} // namespace formwork::test
