// Finds the driver's functions by name; see Driver.h.
#include "runtime/cuda/Driver.h"

#include <dlfcn.h>

namespace formwork::cuda {

const char *Driver::load() {
  library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return "no NVIDIA driver: libcuda.so.1 is not on this machine";
#define FORMWORK_FIND(member, name, parameters)                                                    \
  member = reinterpret_cast<Result(*) parameters>(dlsym(library, name));                           \
  if (!member)                                                                                     \
    return "the NVIDIA driver is too old: it has no " name ", which is in those of CUDA 12 and "   \
           "later";
  FORMWORK_CUDA_DRIVER(FORMWORK_FIND)
#undef FORMWORK_FIND
  return nullptr;
}

void Driver::unload() {
  if (library)
    dlclose(library);
  library = nullptr;
}

const char *Driver::describe(Result result) const {
  const char *text = nullptr;
  // The library that stands in for a driver where there is none answers without a text.
  if (getErrorString && getErrorString(result, &text) == success && text)
    return text;
  return "unknown error";
}

} // namespace formwork::cuda
