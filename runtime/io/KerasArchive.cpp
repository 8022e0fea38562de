// .keras archives, through the module of keras_io/; see KerasArchive.h.
//
// The module is looked for beside the program, then in $FORMWORK_LIB, then as any shared library:
// where the program was told to look when it was linked (`formwork compile` names the Formwork that
// it belongs to), then in the system's folders. No path is compiled into the runtime.
#include "runtime/io/KerasArchive.h"

#include "runtime/Error.h"
#include "runtime/keras_io/keras_io.h"

#include <cstdlib>
#include <dlfcn.h>
#include <limits.h>
#include <unistd.h>
#include <vector>

namespace formwork::runtime {

static constexpr const char *moduleName = "libformwork_keras_io.so";

static std::string programFolder() {
  char path[PATH_MAX];
  ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
  std::string program(path, size > 0 ? size : 0);
  return program.substr(0, program.rfind('/'));
}

static std::vector<std::string> candidates() {
  std::vector<std::string> paths = {programFolder() + "/" + moduleName};
  if (const char *folder = getenv("FORMWORK_LIB"))
    paths.push_back(std::string(folder) + "/" + moduleName);
  paths.push_back(moduleName);
  return paths;
}

/// The module at that path; null, with the reason added to `tried`, if it is not there or unfit.
static const formwork_keras_io *load(const std::string &path, std::string &tried) {
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    bool absent = path.find('/') != std::string::npos && access(path.c_str(), F_OK);
    tried += text("\n  %s", absent ? (path + ": is not there").c_str() : dlerror());
    return nullptr;
  }
  auto *get = reinterpret_cast<decltype(&formwork_keras_io_module)>(
      dlsym(library, "formwork_keras_io_module"));
  if (get && get()->abi == FORMWORK_ABI && get()->size >= sizeof(formwork_keras_io))
    return get();
  tried += text("\n  %s: belongs to another version of Formwork", path.c_str());
  return nullptr;
}

static const formwork_keras_io &module(const std::string &file) {
  std::string tried;
  for (const std::string &path : candidates())
    if (const formwork_keras_io *found = load(path, tried))
      return *found;
  throw Error(
      text("%s: Keras archives need %s, which was found in none of these places:%s\nCopy it "
           "beside this program, or name its folder in FORMWORK_LIB (it needs HDF5: apt install "
           "libhdf5-103-1), or use a .safetensors file",
           file.c_str(), moduleName, tried.c_str()));
}

void requireKerasModule(const std::string &file) { module(file); }

void saveKerasArchive(const std::string &file, const Instance &instance, const Position &position) {
  const formwork_model &model = instance.model();
  const formwork_keras_position where = {position.epoch, position.seed, 1, 1};
  char message[4096] = "";
  if (module(file).save(file.c_str(), &model, instance.variableBytes(), &where, message,
                        sizeof(message)))
    throw Error(message);
}

Position loadKerasArchive(const std::string &file, Instance &instance) {
  formwork_keras_position where = {};
  char message[4096] = "";
  if (module(file).load(file.c_str(), &instance.model(), instance.writableVariables(), &where,
                        message, sizeof(message)))
    throw Error(message);
  return {where.epoch, where.seed, where.known != 0, where.complete != 0};
}

} // namespace formwork::runtime
