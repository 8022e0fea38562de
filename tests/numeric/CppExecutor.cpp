// The production pipeline by way of C++ source: printed, compiled by a compiler of the system,
// loaded. Whatever it computes must be, bit by bit, what the object computes.
#include "codegen/StateLayout.h"
#include "codegen/cpp/Cpp.h"
#include "codegen/package/Describe.h"
#include "codegen/package/Header.h"
#include "tests/numeric/Buffer.h"
#include "tests/numeric/EntryProgram.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"

#include <cstring>
#include <dlfcn.h>

using namespace mlir;

namespace formwork::test {

namespace {
class Library {
public:
  explicit Library(StringRef path) : handle(dlopen(path.str().c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (!handle)
      llvm::report_fatal_error(llvm::Twine("cannot load what was compiled: ") + dlerror());
  }
  void *find(const std::string &symbol) { return dlsym(handle, symbol.c_str()); }

private:
  void *handle; // For the life of the process.
};

class CppProgram : public EntryProgram {
public:
  CppProgram(Library library, std::unique_ptr<Program> object, llvm::StringMap<Symbols> symbols,
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
  void *lookup(const std::string &symbol) override { return library.find(symbol); }

  /// What is not a number is not told apart.
  static void compare(StringRef function, ArrayRef<Array> got, ArrayRef<Array> wanted) {
    for (auto [one, other] : llvm::zip_equal(got, wanted))
      for (auto [a, b] : llvm::zip_equal(one.values, other.values))
        if (std::memcmp(&a, &b, sizeof a) != 0 && (a == a || b == b))
          llvm::report_fatal_error(function + ": C++ computes " + llvm::formatv("{0}", a).str() +
                                   " where the object computes " + llvm::formatv("{0}", b).str());
  }

  Library library;
  std::unique_ptr<Program> object;
};

class CppExecutor : public Executor {
public:
  StringRef name() const override { return "cpp"; }
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
    return std::make_unique<CppProgram>(build(*source, header), std::move(object),
                                        std::move(symbols), count);
  }

private:
  static void write(const llvm::Twine &path, StringRef text) {
    std::error_code code;
    llvm::raw_fd_ostream(path.str(), code) << text;
    if (code)
      llvm::report_fatal_error(llvm::Twine("cannot write ") + path + ": " + code.message());
  }

  /// With the warnings that a product must not have.
  static Library build(const CppSource &source, StringRef header) {
    llvm::SmallString<64> folder;
    if (llvm::sys::fs::createUniqueDirectory("formwork-cpp", folder))
      llvm::report_fatal_error("no temporary folder");
    write(folder + "/" + entryPrefix + ".h", header);
    write(folder + "/formwork_vector.h", vectorHeader());
    std::string library = (folder + "/table.so").str();
    std::vector<std::string> command = {"g++",
                                        "-std=c++17",
                                        "-O1",
                                        "-ffp-contract=off",
                                        "-march=native",
                                        "-Wall",
                                        "-Wextra",
                                        "-Wpedantic",
                                        "-Werror",
                                        "-shared",
                                        "-fPIC",
                                        "-I",
                                        folder.str().str(),
                                        "-o",
                                        library};
    for (const SourceFile &file : source.files) {
      write(folder + "/" + file.name, file.text);
      if (StringRef(file.name).ends_with(".cpp"))
        command.push_back((folder + "/" + file.name).str());
    }
    auto compiler = llvm::sys::findProgramByName(command.front());
    if (!compiler)
      llvm::report_fatal_error("there is no g++");
    SmallVector<StringRef> words(command.begin(), command.end());
    if (llvm::sys::ExecuteAndWait(*compiler, words) != 0)
      llvm::report_fatal_error(llvm::Twine("does not compile: ") + folder);
    Library loaded(library);
    (void)llvm::sys::fs::remove_directories(folder);
    return loaded;
  }
};
} // namespace

std::unique_ptr<Executor> makeCppExecutor() { return std::make_unique<CppExecutor>(); }

} // namespace formwork::test
