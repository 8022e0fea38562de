// Opening a model's GPU, and its failures; see Device.h.
#include "runtime/Device.h"

#include "runtime/Error.h"

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace formwork::runtime {

/// The number in FORMWORK_DEVICE.
static int32_t numberOf(const char *text) {
  int32_t number = -1;
  const char *end = text + strlen(text);
  auto [stopped, problem] = std::from_chars(text, end, number);
  if (problem != std::errc() || stopped != end || number < 0)
    throw Error(formwork::runtime::text(
        "FORMWORK_DEVICE is '%s': it must be cpu or the number of a GPU, from 0", text));
  return number;
}

/// Tells a user who did not ask for the CPU that it is taken, and why.
static void noteFallback(const formwork_model &model, const char *why) {
  fprintf(stderr, "note: %s runs on the CPU: %s\n", model.name, why);
}

std::unique_ptr<Device> Device::open(const formwork_model &model) {
  const char *wanted = getenv("FORMWORK_DEVICE");
  bool wantsCpu = wanted && !strcmp(wanted, "cpu");
  if (!model.accelerator)
    return nullptr;
  const formwork_accelerator &accelerator = *model.accelerator;
  if (wantsCpu && accelerator.has_host_code)
    return nullptr;
  if (wantsCpu)
    throw Error(text("%s was compiled for GPUs alone (%s): compile it with --target=host,cuda:... "
                     "to run it on the CPU as well",
                     model.name, accelerator.name));
  formwork_device *handle = nullptr;
  int status = accelerator.open(accelerator.code, wanted ? numberOf(wanted) : 0, &handle);
  if (!handle)
    throw std::bad_alloc();
  std::unique_ptr<Device> device(new Device(model, handle));
  if (status == FORMWORK_OK)
    return device;
  std::string why = device->name();
  if (!wanted && accelerator.has_host_code) {
    noteFallback(model, why.c_str());
    return nullptr;
  }
  throw Error(text("%s needs a GPU (%s): %s", model.name, accelerator.name, why.c_str()));
}

void Device::fail() const { throw Error(text("%s: %s", model.name, name())); }

void Device::upload(void *to, const void *from, int64_t size) {
  if (accelerator.upload(handle, to, from, size) != FORMWORK_OK)
    fail();
}

void Device::download(void *to, const void *from, int64_t size) {
  if (accelerator.download(handle, to, from, size) != FORMWORK_OK)
    fail();
}

void Device::synchronize() {
  if (accelerator.synchronize(handle) != FORMWORK_OK)
    fail();
}

DeviceMemory::DeviceMemory(Device &device, int64_t size)
    : device(&device), memory(device.accelerator.allocate(device.handle, size)), bytes(size) {
  if (!memory)
    throw Error(text("%s: the GPU has no %lld bytes left: use smaller batches", device.model.name,
                     (long long)size));
}

DeviceMemory::~DeviceMemory() {
  if (memory)
    device->accelerator.release(device->handle, memory);
}

} // namespace formwork::runtime
