// The GPU that a model runs on, through the functions of its descriptor.
#pragma once

#include "runtime/formwork.h"

#include <cstdint>
#include <memory>

namespace formwork::runtime {

class Device {
public:
  /// Null if the model is to run on the CPU: see Instance.h for how that is decided. An Error if it
  /// cannot run at all.
  static std::unique_ptr<Device> open(const formwork_model &);
  ~Device() { accelerator.close(handle); }
  Device(const Device &) = delete;
  Device &operator=(const Device &) = delete;

  formwork_device *get() const { return handle; }
  const char *name() const { return accelerator.message(handle); }

  void upload(void *to, const void *from, int64_t size);
  void download(void *to, const void *from, int64_t size);
  void synchronize();
  /// Throws what the device says of its failure.
  [[noreturn]] void fail() const;

private:
  friend class DeviceMemory;
  Device(const formwork_model &model, formwork_device *handle)
      : model(model), accelerator(*model.accelerator), handle(handle) {}

  const formwork_model &model;
  const formwork_accelerator &accelerator;
  formwork_device *handle;
};

/// Zeroed memory of a device, which must outlive it.
class DeviceMemory {
public:
  DeviceMemory() = default;
  DeviceMemory(Device &, int64_t size);
  ~DeviceMemory();
  DeviceMemory(DeviceMemory &&other) noexcept { swap(other); }
  DeviceMemory &operator=(DeviceMemory &&other) noexcept {
    swap(other);
    return *this;
  }

  void *data() const { return memory; }
  int64_t size() const { return bytes; }

private:
  void swap(DeviceMemory &other) {
    std::swap(device, other.device);
    std::swap(memory, other.memory);
    std::swap(bytes, other.bytes);
  }

  Device *device = nullptr;
  void *memory = nullptr;
  int64_t bytes = 0;
};

} // namespace formwork::runtime
