// NVRTC's library, found with dlopen; its few functions are declared here.
#include "codegen/cuda/Nvrtc.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"

#include <dlfcn.h>

using namespace mlir;

namespace formwork::cuda {

std::optional<Architecture> Architecture::parse(StringRef name) {
  StringRef rest = name;
  Architecture architecture{0, false, name.str()};
  if (!rest.consume_front("sm_") || rest.consumeInteger(10, architecture.capability))
    return std::nullopt;
  architecture.exact = rest.consume_front("a");
  if (!rest.empty())
    return std::nullopt;
  return architecture;
}

//===--- finding the library ---------------------------------------------------------------------

/// Versions of the library's interface, the newest first.
static constexpr StringRef libraryNames[] = {"libnvrtc.so.13", "libnvrtc.so.12"};

/// lib/python*/site-packages/nvidia/*/lib of a virtual environment.
static void addPipFolders(StringRef environment, SmallVectorImpl<std::string> &folders) {
  std::error_code code;
  for (llvm::sys::fs::directory_iterator python(environment + "/lib", code), end;
       !code && python != end; python.increment(code)) {
    std::error_code none;
    for (llvm::sys::fs::directory_iterator part(python->path() + "/site-packages/nvidia", none);
         !none && part != end; part.increment(none))
      folders.push_back(part->path() + "/lib");
  }
}

static SmallVector<std::string> candidates() {
  using llvm::sys::Process;
  SmallVector<std::string> folders, paths;
  if (auto chosen = Process::GetEnv("FORMWORK_NVRTC"))
    return {*chosen};
  if (auto home = Process::GetEnv("CUDA_HOME"))
    folders = {*home + "/lib64", *home + "/lib"};
  if (auto environment = Process::GetEnv("VIRTUAL_ENV"))
    addPipFolders(*environment, folders);
  folders.push_back(""); // where the system's loader looks
  for (StringRef root : {"/usr/local/cuda", "/opt/cuda"})
    for (StringRef folder : {"/lib64", "/lib"})
      folders.push_back((root + folder).str());
  for (const std::string &folder : folders)
    for (StringRef name : libraryNames)
      paths.push_back(folder.empty() ? name.str() : folder + "/" + name.str());
  return paths;
}

/// NVRTC loads a second library by its name alone, which the system's loader finds in a folder of
/// its own only, or if it is loaded already.
static void loadBuiltins(StringRef library) {
  StringRef folder = llvm::sys::path::parent_path(library);
  std::error_code code;
  for (llvm::sys::fs::directory_iterator file(folder, code), end;
       !folder.empty() && !code && file != end; file.increment(code))
    if (llvm::sys::path::filename(file->path()).starts_with("libnvrtc-builtins.so"))
      (void)dlopen(file->path().c_str(), RTLD_NOW | RTLD_LOCAL);
}

//===--- the interface ---------------------------------------------------------------------------

using Program = struct _nvrtcProgram *;

/// X(member, name in the library, parameters)
#define FORMWORK_NVRTC_FUNCTIONS(X)                                                                \
  X(version, "nvrtcVersion", (int *, int *))                                                       \
  X(archCount, "nvrtcGetNumSupportedArchs", (int *))                                               \
  X(archs, "nvrtcGetSupportedArchs", (int *))                                                      \
  X(create, "nvrtcCreateProgram",                                                                  \
    (Program *, const char *source, const char *name, int headers, const char *const *,            \
     const char *const *))                                                                         \
  X(destroy, "nvrtcDestroyProgram", (Program *))                                                   \
  X(compile, "nvrtcCompileProgram", (Program, int, const char *const *options))                    \
  X(logSize, "nvrtcGetProgramLogSize", (Program, size_t *))                                        \
  X(log, "nvrtcGetProgramLog", (Program, char *))                                                  \
  X(cubinSize, "nvrtcGetCUBINSize", (Program, size_t *))                                           \
  X(cubin, "nvrtcGetCUBIN", (Program, char *))                                                     \
  X(ptxSize, "nvrtcGetPTXSize", (Program, size_t *))                                               \
  X(ptx, "nvrtcGetPTX", (Program, char *))

namespace {
struct Functions {
#define FORMWORK_DECLARE(member, name, parameters) int(*member) parameters;
  FORMWORK_NVRTC_FUNCTIONS(FORMWORK_DECLARE)
#undef FORMWORK_DECLARE

  bool find(void *library) {
#define FORMWORK_FIND(member, name, parameters)                                                    \
  member = reinterpret_cast<int(*) parameters>(dlsym(library, name));                              \
  if (!member)                                                                                     \
    return false;
    FORMWORK_NVRTC_FUNCTIONS(FORMWORK_FIND)
#undef FORMWORK_FIND
    return true;
  }
};

class LoadedNvrtc : public Nvrtc {
public:
  explicit LoadedNvrtc(const Functions &functions) : functions(functions) {}

  std::string version() const override {
    int major = 0, minor = 0;
    functions.version(&major, &minor);
    return std::to_string(major) + "." + std::to_string(minor);
  }
  bool supports(const Architecture &architecture) const override {
    int count = 0;
    functions.archCount(&count);
    std::vector<int> known(count);
    functions.archs(known.data());
    return llvm::is_contained(known, architecture.capability);
  }
  FailureOr<CompiledKernels> compile(Location location, StringRef source, StringRef name,
                                     const Architecture &architecture, Form form) const override;

private:
  std::string logOf(Program program) const;

  Functions functions;
};
} // namespace

std::unique_ptr<Nvrtc> Nvrtc::load(Location location) {
  for (const std::string &path : candidates()) {
    void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    Functions functions;
    if (!library)
      continue;
    // It stays loaded: NVRTC keeps threads of its own.
    if (functions.find(library)) {
      loadBuiltins(path);
      return std::make_unique<LoadedNvrtc>(functions);
    }
    dlclose(library);
  }
  emitError(location) << "compiling for CUDA needs NVRTC 12 or 13, and there is no "
                      << llvm::join(ArrayRef(libraryNames), " or ")
                      << ": install the CUDA toolkit, or `pip install nvidia-cuda-nvrtc` in the "
                         "active virtual environment, or name the library in FORMWORK_NVRTC";
  return nullptr;
}

std::string LoadedNvrtc::logOf(Program program) const {
  size_t size = 0;
  functions.logSize(program, &size);
  std::string log(size, '\0');
  functions.log(program, log.data());
  return StringRef(log).rtrim('\0').trim().str();
}

FailureOr<CompiledKernels> LoadedNvrtc::compile(Location location, StringRef source, StringRef name,
                                                const Architecture &architecture, Form form) const {
  Program program = nullptr;
  std::string text = source.str(), file = name.str();
  if (functions.create(&program, text.c_str(), file.c_str(), 0, nullptr, nullptr))
    return emitError(location) << "NVRTC cannot begin with '" << name << "'";
  llvm::scope_exit destroy([&] { functions.destroy(&program); });
  std::string target = (form == Form::PTX ? "-arch=compute_" : "-arch=sm_") +
                       architecture.name.substr(strlen("sm_"));
  // As on the CPU: a fused multiply-add is written where one is meant, denormals are flushed,
  // division and square root are exact.
  const char *options[] = {target.c_str(),   "-std=c++17",      "-fmad=false", "-ftz=true",
                           "-prec-div=true", "-prec-sqrt=true", "-Xptxas=-v"};
  int count = int(std::size(options)) - (form == Form::PTX); // ptxas has no part in PTX
  int status = functions.compile(program, count, options);
  std::string log = logOf(program);
  if (status)
    return emitError(location) << "NVRTC " << version() << " refuses the kernels of '" << name
                               << "' for " << architecture.name << ":\n"
                               << log;
  CompiledKernels compiled;
  size_t size = 0;
  bool isPTX = form == Form::PTX;
  if ((isPTX ? functions.ptxSize : functions.cubinSize)(program, &size) || size == 0)
    return emitError(location) << "NVRTC " << version() << " made nothing of '" << name << "' for "
                               << architecture.name;
  compiled.code.resize(size);
  (isPTX ? functions.ptx : functions.cubin)(program, compiled.code.data());
  compiled.resources = readResources(log);
  return compiled;
}

} // namespace formwork::cuda
