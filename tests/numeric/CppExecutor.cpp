// The production pipeline by way of C++ source: printed, compiled by a compiler of the system,
// loaded. Whatever it computes must be, bit by bit, what the object computes.
#include "codegen/StateLayout.h"
#include "codegen/cpp/Cpp.h"
#include "codegen/package/Describe.h"
#include "codegen/package/Header.h"
#include "tests/numeric/Buffer.h"
#include "tests/numeric/EntryProgram.h"
#include "tests/support/HostCompiler.h"

#include "llvm/Support/FormatVariadic.h"

#include <cstring>
#include <dlfcn.h>

using namespace mlir;

namespace formwork::test {

namespace {
class CppProgram : public EntryProgram {
public:
  CppProgram(void *library, std::unique_ptr<Program> object, llvm::StringMap<Symbols> symbols,
             int64_t symbolCount)
      : EntryProgram(std::move(symbols), symbolCount), library(library), object(std::move(object)) {
  }

  void call(StringRef function, std::vector<Array> &arguments,
            std::vector<Array> &results) override {
    std::vector<Array> expectedArguments = arguments, expectedResults = results;
    object->call(function, expectedArguments, expectedResults);
    EntryProgram::call(function, arguments, results);
    compare(function, arguments, expectedArguments);
    compare(function, results, expectedResults);
  }

private:
  void *lookup(const std::string &symbol) override { return dlsym(library, symbol.c_str()); }

  /// What is not a number is not told apart.
  static void compare(StringRef function, ArrayRef<Array> got, ArrayRef<Array> wanted) {
    for (auto [one, other] : llvm::zip_equal(got, wanted))
      for (auto [a, b] : llvm::zip_equal(one.values, other.values))
        if (std::memcmp(&a, &b, sizeof a) != 0 && (a == a || b == b))
          llvm::report_fatal_error(function + ": C++ computes " + llvm::formatv("{0}", a).str() +
                                   " where the object computes " + llvm::formatv("{0}", b).str());
  }

  void *library; // For the life of the process.
  std::unique_ptr<Program> object;
};

/// With the warnings that a product must not have, clang's among them, but for psabi's, which the
/// vectors' header turns off by a pragma that a precompiled header loses. Not optimized: that takes
/// twice as long, and changes no bit.
const std::string options[] = {
    "-O0", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wunused-const-variable=1", "-Wno-psabi"};

class CppExecutor : public Executor {
public:
  StringRef name() const override { return "cpp"; }

  void prepare() override {
    if (!compiler)
      compiler.emplace("g++", options, SourceFile{"formwork_vector.h", vectorHeader().str()});
  }

  bool sumsAlikeWithUnknownSizes() const override { return false; }

  std::unique_ptr<Program> compilePure(ModuleOp module) override {
    OwningOpRef<ModuleOp> copy = module.clone();
    std::unique_ptr<Program> object = makeCpuExecutor()->compilePure(*copy);
    llvm::StringMap<Symbols> symbols = makeEntries(module);
    if (!object || failed(planKernels(module)))
      return nullptr;
    int64_t count = symbolCount(module);
    StateLayout layout(module);
    CPUOptions options;
    options.name = entryPrefix;
    FailureOr<CppSource> source = compileForCpp(module, options);
    if (failed(source))
      return nullptr;
    std::string header = package::printHeader(
        package::describe(source->entries, source->target, layout, entryPrefix));
    std::vector<SourceFile> files = source->files;
    files.push_back({std::string(entryPrefix) + ".h", header});
    prepare();
    void *library = compiler->load(files);
    if (!library)
      return nullptr;
    return std::make_unique<CppProgram>(library, std::move(object), std::move(symbols), count);
  }

private:
  std::optional<HostCompiler> compiler;
};
} // namespace

std::unique_ptr<Executor> makeCppExecutor() { return std::make_unique<CppExecutor>(); }

} // namespace formwork::test
