// A GPU with a model's kernels: what a formwork_device is.
//
// C++ without its library: produced libraries link to libc alone. Memory comes from calloc, and
// what could not be had is a failure like any other.
#pragma once

#include "runtime/cuda/Driver.h"
#include "runtime/cuda/interface.h"

namespace formwork::cuda {

/// Where bytes from the device are to go, once they are in staging memory.
struct Delivery {
  void *to;
  int64_t offset, size;
};

/// Page-locked memory for the buffers of one call: in use until its event.
struct Staging {
  unsigned char *memory;
  int64_t size;
  Event event;
  bool busy;
  Delivery *deliveries;
  int32_t deliveryCount, deliveryRoom;
};

/// A program's work as a graph, for these pointers and dims.
struct Recording {
  const formwork_cuda_program *program;
  const void *constants;
  void *state, *arena, *buffers;
  int64_t *dims;
  GraphExec graph;
};

} // namespace formwork::cuda

struct formwork_device {
  static constexpr int stagingCount = 4, recordingCount = 32;

  const formwork_cuda_code *code;
  formwork::cuda::Driver driver;
  formwork::cuda::DeviceNumber number;
  formwork::cuda::Context context; // null until everything before it has worked
  formwork::cuda::Stream stream;
  formwork::cuda::Module module;
  formwork::cuda::Function *kernels; // as code->kernels
  unsigned char *literals, *buffers; // on the device
  int64_t buffersSize;
  formwork::cuda::Staging staging[stagingCount];
  int32_t nextStaging;
  formwork::cuda::Recording recordings[recordingCount];
  int32_t nextRecording;
  bool failed;
  char text[512];

  /// Whether it worked; if not, says what `doing` was and is failed from now on.
  bool check(formwork::cuda::Result, const char *doing);
  bool fail(const char *format, ...) __attribute__((format(printf, 2, 3)));
  /// Hands over what a call has brought back, when the device is done with it.
  bool finish(formwork::cuda::Staging &);
  void forgetRecordings();
};

namespace formwork::cuda {

/// The driver's calls are about the context of the calling thread; the caller's comes back.
class Current {
public:
  explicit Current(formwork_device &device) : driver(device.driver) {
    pushed = device.context && driver.contextPush(device.context) == success;
  }
  ~Current() {
    Context ignored;
    if (pushed)
      driver.contextPop(&ignored);
  }
  Current(const Current &) = delete;
  Current &operator=(const Current &) = delete;

private:
  const Driver &driver;
  bool pushed;
};

inline DevicePointer address(const void *pointer) {
  return DevicePointer(reinterpret_cast<uintptr_t>(pointer));
}

} // namespace formwork::cuda
