// Hashes what a program depends on.
#include "tools/Cache.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/SHA256.h"
#include "llvm/TargetParser/Host.h"

using namespace llvm;

namespace formwork {

namespace {
/// A hash of fields of any length, none of which can be taken for parts of two.
class Key {
public:
  void add(StringRef field) {
    hash.update(std::to_string(field.size()) + ":");
    hash.update(field);
  }
  Error addFile(StringRef path) {
    auto file = MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
    if (!file)
      return createStringError(file.getError(),
                               "cannot read '" + path + "': " + file.getError().message());
    add((*file)->getBuffer());
    return Error::success();
  }
  std::string hex() { return toHex(hash.final(), /*LowerCase=*/true); }

private:
  SHA256 hash;
};
} // namespace

/// By what distinguishes one build from another, which is cheaper than its bytes.
static Error addBuild(Key &key, StringRef path) {
  sys::fs::file_status status;
  if (std::error_code code = sys::fs::status(path, status))
    return createStringError(code, "cannot read '" + path + "': " + code.message());
  key.add(path);
  key.add(std::to_string(status.getSize()));
  key.add(std::to_string(status.getLastModificationTime().time_since_epoch().count()));
  return Error::success();
}

static void addOptions(Key &key, const CompileOptions &options) {
  for (StringRef field : {options.name, options.target, options.settings.optimizer,
                          options.settings.loss, options.settings.metrics})
    key.add(field);
  key.add(options.settings.learningRate ? std::to_string(*options.settings.learningRate) : "");
  key.add(options.maxArena ? std::to_string(*options.maxArena) : "");
  for (int64_t number : {options.batch, int64_t(options.train), int64_t(options.sampleWeights),
                         int64_t(options.inputGradients), int64_t(options.tf32),
                         int64_t(options.profile), options.seed})
    key.add(std::to_string(number));
  key.add(std::to_string(options.signatures.size()));
  for (const std::string &signature : options.signatures)
    key.add(signature);
  for (const std::string &kernel : options.acceptedSpills)
    key.add(kernel);
}

static void addMachine(Key &key) {
  key.add(sys::getHostCPUName());
  for (const auto &feature : sys::getHostCPUFeatures())
    if (feature.second)
      key.add(feature.first());
}

static SmallString<128> cacheFolder() {
  SmallString<128> folder;
  if (auto chosen = sys::Process::GetEnv("FORMWORK_CACHE"))
    folder = *chosen;
  else if (sys::path::cache_directory(folder))
    sys::path::append(folder, "formwork");
  return folder;
}

Expected<std::string> cachedProgramPath(const CompileOptions &options, StringRef libraryFolder) {
  Key key;
  static int anchor;
  if (Error error = key.addFile(options.model))
    return error;
  if (Error error = addBuild(key, sys::fs::getMainExecutable(nullptr, &anchor)))
    return error;
  if (Error error = addBuild(key, (libraryFolder + "/libformwork_runtime.a").str()))
    return error;
  addOptions(key, options);
  addMachine(key);

  SmallString<128> path = cacheFolder();
  if (path.empty())
    return createStringError("there is no folder to cache programs in; set FORMWORK_CACHE to one");
  sys::path::append(path, key.hex());
  if (std::error_code code = sys::fs::create_directories(path))
    return createStringError(code, "cannot make the folder '" + path + "': " + code.message());
  sys::path::append(path, options.name);
  return std::string(path);
}

} // namespace formwork
