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

/// g++ and what it is told, with the warnings that a product must not have. Optimizing loops would
/// take two thirds of its time, and changes no bit. The vectors' header turns psabi off by a
/// pragma, which a precompiled header loses.
const char *const compiler[] = {"g++",     "-std=c++17", "-O1",           "-fno-tree-loop-optimize",
                                "-fPIC",   "-Wall",      "-Wextra",       "-Wpedantic",
                                "-Werror", "-Wno-psabi", "-march=native", "-ffp-contract=off"};

void compileWith(ArrayRef<std::string> arguments, StringRef folder) {
  auto path = llvm::sys::findProgramByName(compiler[0]);
  if (!path)
    llvm::report_fatal_error("there is no g++");
  SmallVector<StringRef> words(std::begin(compiler), std::end(compiler));
  words.append(arguments.begin(), arguments.end());
  if (llvm::sys::ExecuteAndWait(*path, words) != 0)
    llvm::report_fatal_error("does not compile: " + folder);
}

class Folder {
public:
  Folder() {
    if (llvm::sys::fs::createUniqueDirectory("formwork-cpp", path))
      llvm::report_fatal_error("no temporary folder");
  }
  ~Folder() { (void)llvm::sys::fs::remove_directories(path); }
  Folder(const Folder &) = delete;

  std::string file(const llvm::Twine &name) const { return (path + "/" + name).str(); }
  void write(const llvm::Twine &name, StringRef text) const {
    std::error_code code;
    llvm::raw_fd_ostream(file(name), code) << text;
    if (code)
      llvm::report_fatal_error("cannot write " + llvm::Twine(file(name)) + ": " + code.message());
  }

  llvm::SmallString<64> path;
};

class CppExecutor : public Executor {
public:
  StringRef name() const override { return "cpp"; }

  /// The vectors' header takes as long to read as what includes it: it is read once, for all.
  void prepare() override {
    if (vectors)
      return;
    vectors.emplace();
    vectors->write("formwork_vector.h", vectorHeader());
    compileWith({"-x", "c++-header", vectors->file("formwork_vector.h")}, vectors->path);
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
    return std::make_unique<CppProgram>(build(*source, header), std::move(object),
                                        std::move(symbols), count);
  }

private:
  Library build(const CppSource &source, StringRef header) const {
    Folder folder;
    folder.write(entryPrefix + llvm::Twine(".h"), header);
    std::string library = folder.file("table.so");
    std::vector<std::string> arguments = {"-include", vectors->file("formwork_vector.h"),
                                          "-I",       vectors->path.str().str(),
                                          "-shared",  "-o",
                                          library};
    for (const SourceFile &file : source.files) {
      folder.write(file.name, file.text);
      if (StringRef(file.name).ends_with(".cpp"))
        arguments.push_back(folder.file(file.name));
    }
    compileWith(arguments, folder.path);
    return Library(library);
  }

  std::optional<Folder> vectors;
};
} // namespace

std::unique_ptr<Executor> makeCppExecutor() { return std::make_unique<CppExecutor>(); }

} // namespace formwork::test
