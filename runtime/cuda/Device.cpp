// Opening and closing a GPU, its memory, and its failures; see Device.h and formwork_accelerator.
#include "runtime/cuda/Device.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

using namespace formwork::cuda;

//===--- failures --------------------------------------------------------------------------------

bool formwork_device::fail(const char *format, ...) {
  // The first failure is the cause; what follows from it would hide it.
  if (!failed) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
  }
  failed = true;
  return false;
}

bool formwork_device::check(Result result, const char *doing) {
  if (result == success)
    return true;
  return fail("%s failed on the GPU: %s (CUDA error %d)", doing, driver.describe(result), result);
}

static int statusOf(const formwork_device *device) {
  return device->failed ? FORMWORK_DEVICE_FAILED : FORMWORK_OK;
}

const char *formwork_cuda_message(const formwork_device *device) { return device->text; }

int32_t formwork_cuda_working(const formwork_device *device) { return !device->failed; }

//===--- opening ---------------------------------------------------------------------------------

/// Images in the order of preference; below zero if it cannot run at all.
static int suitability(const formwork_cuda_image &image, int capability) {
  switch (image.kind) {
  case FORMWORK_CUDA_EXACT_CUBIN:
    return image.capability == capability ? 3000 : -1;
  case FORMWORK_CUDA_CUBIN:
    return image.capability / 10 == capability / 10 && image.capability <= capability
               ? 2000 + image.capability
               : -1;
  default:
    return image.capability <= capability ? 1000 + image.capability : -1;
  }
}

static const formwork_cuda_image *choose(const formwork_cuda_code &code, int capability) {
  const formwork_cuda_image *best = nullptr;
  for (int32_t i = 0; i < code.image_count; ++i)
    if (suitability(code.images[i], capability) > (best ? suitability(*best, capability) : -1))
      best = &code.images[i];
  return best;
}

static bool findDevice(formwork_device &device, int32_t number) {
  int count = 0;
  if (const char *missing = device.driver.load())
    return device.fail("%s", missing);
  if (!device.check(device.driver.init(0), "starting the driver") ||
      !device.check(device.driver.deviceGetCount(&count), "counting devices"))
    return false;
  if (number < 0 || number >= count)
    return device.fail("there is no GPU number %d: the driver knows %d", int(number), count);
  return device.check(device.driver.deviceGet(&device.number, number), "finding the device");
}

static bool loadKernels(formwork_device &device) {
  const Driver &driver = device.driver;
  int major = 0, minor = 0;
  char name[128] = "";
  if (!device.check(driver.deviceGetAttribute(&major, capabilityMajor, device.number),
                    "asking for its capability") ||
      !device.check(driver.deviceGetAttribute(&minor, capabilityMinor, device.number),
                    "asking for its capability") ||
      !device.check(driver.deviceGetName(name, sizeof(name) - 1, device.number),
                    "asking for its name"))
    return false;
  const formwork_cuda_image *image = choose(*device.code, 10 * major + minor);
  if (!image)
    return device.fail("the model was not compiled for this GPU, %s with sm_%d%d: add "
                       "cuda:sm_%d%d to --target",
                       name, major, minor, major, minor);
  if (!device.check(driver.moduleLoad(&device.module, image->data), "loading the kernels"))
    return false;
  for (int32_t i = 0; i < device.code->kernel_count; ++i)
    if (!device.check(driver.moduleGetFunction(&device.kernels[i], device.module,
                                               device.code->kernels[i].name),
                      "finding a kernel"))
      return false;
  snprintf(device.text, sizeof(device.text), "%s, sm_%d%d", name, major, minor);
  return true;
}

static bool prepare(formwork_device &device, int32_t number) {
  const Driver &driver = device.driver;
  if (!findDevice(device, number) ||
      !device.check(driver.primaryContextRetain(&device.context, device.number),
                    "making a context"))
    return false;
  Current current(device);
  device.kernels =
      static_cast<Function *>(calloc(size_t(device.code->kernel_count) + 1, sizeof(Function)));
  if (!device.kernels)
    return device.fail("no memory for a table of kernels");
  if (!loadKernels(device) ||
      !device.check(driver.streamCreate(&device.stream, streamNonBlocking), "making a stream"))
    return false;
  for (Staging &staging : device.staging)
    if (!device.check(driver.eventCreate(&staging.event, eventDisableTiming), "making an event"))
      return false;
  if (int64_t size = device.code->literals_size) {
    device.literals = static_cast<unsigned char *>(formwork_cuda_allocate(&device, size));
    return device.literals && formwork_cuda_upload(&device, device.literals, device.code->literals,
                                                   size) == FORMWORK_OK;
  }
  return true;
}

int formwork_cuda_open(const void *code, int32_t number, formwork_device **opened) {
  auto *device = static_cast<formwork_device *>(calloc(1, sizeof(formwork_device)));
  *opened = device;
  if (!device)
    return FORMWORK_DEVICE_FAILED;
  device->code = static_cast<const formwork_cuda_code *>(code);
  prepare(*device, number);
  return statusOf(device);
}

static void releaseAll(formwork_device &device) {
  const Driver &driver = device.driver;
  Current current(device);
  if (device.stream)
    driver.streamSynchronize(device.stream);
  device.forgetRecordings();
  for (Staging &staging : device.staging) {
    if (staging.memory)
      driver.releaseHost(staging.memory);
    if (staging.event)
      driver.eventDestroy(staging.event);
    free(staging.deliveries);
  }
  for (unsigned char *memory : {device.literals, device.buffers})
    if (memory)
      driver.release(address(memory));
  if (device.stream)
    driver.streamDestroy(device.stream);
  if (device.module)
    driver.moduleUnload(device.module);
}

void formwork_cuda_close(formwork_device *device) {
  if (!device)
    return;
  if (device->context) {
    releaseAll(*device);
    device->driver.primaryContextRelease(device->number);
  }
  device->driver.unload();
  free(device->kernels);
  free(device);
}

void formwork_device::forgetRecordings() {
  for (Recording &recording : recordings) {
    if (recording.graph)
      driver.graphExecDestroy(recording.graph);
    free(recording.dims);
    recording = {};
  }
}

//===--- memory ----------------------------------------------------------------------------------

void *formwork_cuda_allocate(formwork_device *device, int64_t size) {
  Current current(*device);
  const Driver &driver = device->driver;
  DevicePointer memory = 0;
  size_t bytes = size_t(size) + (size == 0);
  // That there is too little memory is for the caller to say; the device goes on working.
  if (device->failed || driver.allocate(&memory, bytes) != success)
    return nullptr;
  if (!device->check(driver.fill8Async(memory, 0, bytes, device->stream), "clearing memory"))
    return nullptr;
  return reinterpret_cast<void *>(uintptr_t(memory));
}

void formwork_cuda_release(formwork_device *device, void *memory) {
  if (!memory)
    return;
  Current current(*device);
  device->driver.streamSynchronize(device->stream);
  // Another piece of memory may get this address; a recording would write to it all the same.
  device->forgetRecordings();
  device->driver.release(address(memory));
}

int formwork_cuda_upload(formwork_device *device, void *to, const void *from, int64_t size) {
  Current current(*device);
  if (size && formwork_cuda_synchronize(device) == FORMWORK_OK)
    device->check(device->driver.upload(address(to), from, size_t(size)), "uploading");
  return statusOf(device);
}

int formwork_cuda_download(formwork_device *device, void *to, const void *from, int64_t size) {
  Current current(*device);
  if (size && formwork_cuda_synchronize(device) == FORMWORK_OK)
    device->check(device->driver.download(to, address(from), size_t(size)), "downloading");
  return statusOf(device);
}

bool formwork_device::finish(Staging &used) {
  if (!used.busy)
    return !failed;
  used.busy = false;
  if (failed || !check(driver.eventSynchronize(used.event), "computing"))
    return false;
  for (int32_t i = 0; i < used.deliveryCount; ++i) {
    const Delivery &delivery = used.deliveries[i];
    memcpy(delivery.to, used.memory + delivery.offset, size_t(delivery.size));
  }
  return true;
}

int formwork_cuda_synchronize(formwork_device *device) {
  Current current(*device);
  if (!device->failed)
    device->check(device->driver.streamSynchronize(device->stream), "computing");
  // In the order of the calls: a buffer may have been given to several.
  for (int32_t i = 0; i < formwork_device::stagingCount; ++i)
    device->finish(device->staging[(device->nextStaging + i) % formwork_device::stagingCount]);
  return statusOf(device);
}
