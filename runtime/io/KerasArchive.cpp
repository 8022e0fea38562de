// .keras archives, through the module of keras_io/; see KerasArchive.h.
//
// The module is looked for beside the program, then in $FORMWORK_LIB, then where this Formwork was
// built and where it is installed. Nothing else is searched, so that no stray library is run.
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
  std::vector<std::string> folders = {programFolder()};
  if (const char *setting = getenv("FORMWORK_LIB"))
    folders.push_back(setting);
  folders.push_back(FORMWORK_BUILD_FOLDER);
  folders.push_back(FORMWORK_INSTALL_FOLDER);
  for (std::string &folder : folders)
    folder += std::string("/") + moduleName;
  return folders;
}

static const formwork_keras_io &module(const std::string &file) {
  std::string tried;
  for (const std::string &path : candidates()) {
    void *library =
        access(path.c_str(), R_OK) ? nullptr : dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
      const char *why = access(path.c_str(), R_OK) ? nullptr : dlerror();
      tried += text("\n  %s: %s", path.c_str(), why ? why : "is not there");
      continue;
    }
    auto *get = reinterpret_cast<decltype(&formwork_keras_io_module)>(
        dlsym(library, "formwork_keras_io_module"));
    if (get && get()->abi == FORMWORK_ABI && get()->size >= sizeof(formwork_keras_io))
      return *get();
    tried += text("\n  %s: belongs to another version of Formwork", path.c_str());
  }
  throw Error(
      text("%s: Keras archives need %s, which was found in none of these places:%s\nCopy it "
           "beside this program, or name its folder in FORMWORK_LIB (it needs HDF5 and "
           "libzip: apt install libhdf5-103-1 libzip4), or use a .safetensors file",
           file.c_str(), moduleName, tried.c_str()));
}

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
