// A call of a compiled function on a GPU: one upload of all that it reads, its kernels, one
// download of all that it fills, none of which the caller waits for.
//
// What a straight program enqueues is recorded as a graph at its first call with given pointers and
// dims, and replayed from then on.
#include "runtime/cuda/Device.h"

#include <cstdlib>
#include <cstring>
#include <initializer_list>

using namespace formwork::cuda;

/// Buffers begin at multiples of this, as vectors and copies want them.
static constexpr int64_t alignment = 256;

//===--- where buffers lie -----------------------------------------------------------------------

static int64_t sizeOf(const formwork_cuda_buffer &buffer, const int64_t *dims) {
  int64_t size = buffer.element_size;
  for (int32_t i = 0; i < buffer.rank; ++i)
    size *= buffer.shape[i] < 0 ? dims[-1 - buffer.shape[i]] : buffer.shape[i];
  return size;
}

namespace {
/// What is read comes first, then what is written, so that each way is one copy.
struct BufferPlan {
  int64_t *offsets = nullptr, *sizes = nullptr;
  void **pointers = nullptr;
  int64_t read = 0, total = 0;

  BufferPlan(const formwork_cuda_program &program, const int64_t *dims);
  ~BufferPlan() { free(offsets); }
  BufferPlan(const BufferPlan &) = delete;
  BufferPlan &operator=(const BufferPlan &) = delete;
};
} // namespace

BufferPlan::BufferPlan(const formwork_cuda_program &program, const int64_t *dims) {
  size_t count = size_t(program.buffer_count);
  offsets = static_cast<int64_t *>(calloc(3 * count + 1, sizeof(int64_t)));
  if (!offsets)
    return;
  sizes = offsets + count;
  static_assert(sizeof(void *) == sizeof(int64_t));
  pointers = reinterpret_cast<void **>(sizes + count);
  for (int32_t written : {0, 1}) {
    for (size_t i = 0; i < count; ++i) {
      if (program.buffers[i].written != written)
        continue;
      offsets[i] = total;
      sizes[i] = sizeOf(program.buffers[i], dims);
      total += (sizes[i] + alignment - 1) / alignment * alignment;
    }
    if (!written)
      read = total;
  }
}

/// Device memory for the buffers of a call. Calls follow one another on the stream: one is enough.
static bool reserveBuffers(formwork_device &device, int64_t size) {
  if (size <= device.buffersSize)
    return true;
  formwork_cuda_release(&device, device.buffers);
  device.buffersSize = 0;
  device.buffers = static_cast<unsigned char *>(formwork_cuda_allocate(&device, size));
  if (!device.buffers)
    return device.fail("the GPU has no %lld bytes left for the buffers of a call", (long long)size);
  device.buffersSize = size;
  return true;
}

static bool reserve(formwork_device &device, Staging &staging, int64_t size, int32_t deliveries) {
  if (deliveries > staging.deliveryRoom) {
    free(staging.deliveries);
    staging.deliveries = static_cast<Delivery *>(calloc(size_t(deliveries), sizeof(Delivery)));
    staging.deliveryRoom = staging.deliveries ? deliveries : 0;
    if (!staging.deliveries)
      return device.fail("no memory for a list of buffers");
  }
  if (size <= staging.size)
    return true;
  if (staging.memory)
    device.driver.releaseHost(staging.memory);
  staging.memory = nullptr;
  staging.size = 0;
  void *memory = nullptr;
  if (!device.check(device.driver.allocateHost(&memory, size_t(size), 0),
                    "getting page-locked memory"))
    return false;
  staging.memory = static_cast<unsigned char *>(memory);
  staging.size = size;
  return true;
}

//===--- graphs ----------------------------------------------------------------------------------

namespace {
/// The pointers that a body gets.
struct Arguments {
  const void *constants;
  void *state, *arena;
  const int64_t *dims;
  void *const *buffers;
};
} // namespace

static void callBody(formwork_device &device, const formwork_cuda_program &program,
                     const Arguments &given) {
  program.body(&device, given.constants, given.state, given.arena, given.dims, given.buffers);
}

static bool sameSizes(const Recording &recording, const formwork_cuda_program &program,
                      const int64_t *dims) {
  return recording.program == &program &&
         (program.dim_count == 0 ||
          !memcmp(recording.dims, dims, size_t(program.dim_count) * sizeof(int64_t)));
}

static bool samePointers(const Recording &recording, const formwork_device &device,
                         const Arguments &given) {
  return recording.constants == given.constants && recording.state == given.state &&
         recording.arena == given.arena && recording.buffers == device.buffers;
}

/// One for these sizes, else the oldest, emptied.
static Recording *placeFor(formwork_device &device, const formwork_cuda_program &program,
                           const int64_t *dims) {
  for (Recording &recording : device.recordings)
    if (recording.graph && sameSizes(recording, program, dims))
      return &recording;
  Recording &place = device.recordings[device.nextRecording];
  device.nextRecording = (device.nextRecording + 1) % formwork_device::recordingCount;
  if (place.graph)
    device.driver.graphExecDestroy(place.graph);
  free(place.dims);
  place = {};
  place.dims = static_cast<int64_t *>(calloc(size_t(program.dim_count) + 1, sizeof(int64_t)));
  if (!place.dims) {
    device.fail("no memory for a graph's sizes");
    return nullptr;
  }
  if (program.dim_count)
    memcpy(place.dims, dims, size_t(program.dim_count) * sizeof(int64_t));
  return &place;
}

/// Makes the recording's graph one of `graph`, which has other pointers perhaps but the same shape.
static bool adopt(formwork_device &device, Recording &recording, Graph graph) {
  const Driver &driver = device.driver;
  GraphUpdate ignored = {};
  if (recording.graph && driver.graphUpdate(recording.graph, graph, &ignored) == success)
    return true;
  if (recording.graph)
    driver.graphExecDestroy(recording.graph);
  recording.graph = nullptr;
  return device.check(driver.graphInstantiate(&recording.graph, graph, 0), "making a graph");
}

static bool record(formwork_device &device, Recording &recording,
                   const formwork_cuda_program &program, const Arguments &given) {
  const Driver &driver = device.driver;
  Graph graph = nullptr;
  if (!device.check(driver.beginCapture(device.stream, captureThreadLocal), "recording a graph"))
    return false;
  callBody(device, program, given);
  if (!device.check(driver.endCapture(device.stream, &graph), "recording a graph"))
    return false;
  bool adopted = !device.failed && adopt(device, recording, graph);
  driver.graphDestroy(graph);
  recording.program = &program;
  recording.constants = given.constants;
  recording.state = given.state;
  recording.arena = given.arena;
  recording.buffers = device.buffers;
  return adopted;
}

static bool enqueue(formwork_device &device, const formwork_cuda_program &program,
                    const Arguments &given) {
  if (!program.straight) {
    callBody(device, program, given);
    return !device.failed;
  }
  Recording *recording = placeFor(device, program, given.dims);
  if (!recording)
    return false;
  if (!(recording->graph && samePointers(*recording, device, given)) &&
      !record(device, *recording, program, given))
    return false;
  return device.check(device.driver.graphLaunch(recording->graph, device.stream),
                      "launching a graph");
}

//===--- a call ----------------------------------------------------------------------------------

static bool runOn(formwork_device &device, const formwork_cuda_program &program, Arguments given) {
  BufferPlan plan(program, given.dims);
  if (!plan.offsets)
    return device.fail("no memory for a table of buffers");
  Staging &staging = device.staging[device.nextStaging];
  if (!device.finish(staging) || !reserveBuffers(device, plan.total) ||
      !reserve(device, staging, plan.total, program.buffer_count))
    return false;
  staging.deliveryCount = 0;
  for (int32_t i = 0; i < program.buffer_count; ++i) {
    plan.pointers[i] = device.buffers + plan.offsets[i];
    if (program.buffers[i].written)
      staging.deliveries[staging.deliveryCount++] = {given.buffers[i], plan.offsets[i],
                                                     plan.sizes[i]};
    else
      memcpy(staging.memory + plan.offsets[i], given.buffers[i], size_t(plan.sizes[i]));
  }
  given.buffers = plan.pointers;

  const Driver &driver = device.driver;
  int64_t written = plan.total - plan.read;
  if (plan.read && !device.check(driver.uploadAsync(address(device.buffers), staging.memory,
                                                    size_t(plan.read), device.stream),
                                 "uploading"))
    return false;
  if (!enqueue(device, program, given))
    return false;
  if (written && !device.check(driver.downloadAsync(staging.memory + plan.read,
                                                    address(device.buffers + plan.read),
                                                    size_t(written), device.stream),
                               "downloading"))
    return false;
  if (!device.check(driver.eventRecord(staging.event, device.stream), "recording an event"))
    return false;
  staging.busy = true;
  device.nextStaging = (device.nextStaging + 1) % formwork_device::stagingCount;
  return true;
}

int formwork_cuda_run(const formwork_cuda_program *program, const formwork_context *context,
                      const void *constants, void *state, void *arena, const int64_t *dims,
                      void *const *buffers) {
  formwork_device &device = *context->device;
  if (device.failed)
    return FORMWORK_DEVICE_FAILED;
  Current current(device);
  bool done = runOn(device, *program, {constants, state, arena, dims, buffers});
  return done ? FORMWORK_OK : FORMWORK_DEVICE_FAILED;
}

//===--- what bodies call ------------------------------------------------------------------------

void formwork_cuda_launch(formwork_device *device, int32_t kernel, int64_t blocks,
                          const uint64_t *arguments, int32_t count) {
  constexpr int32_t most = 512; // CUDA's limit of 4096 bytes
  constexpr int64_t mostBlocks = 0x7fffffff;
  const formwork_cuda_kernel &launched = device->code->kernels[kernel];
  if (device->failed || blocks <= 0)
    return;
  if (count > most || blocks > mostBlocks) {
    device->fail("kernel %s cannot be launched with %d arguments on %lld blocks", launched.name,
                 int(count), (long long)blocks);
    return;
  }
  void *parameters[most];
  for (int32_t i = 0; i < count; ++i)
    parameters[i] = const_cast<uint64_t *>(arguments + i);
  device->check(device->driver.launch(device->kernels[kernel], unsigned(blocks), 1, 1,
                                      unsigned(launched.threads), 1, 1, 0, device->stream,
                                      parameters, nullptr),
                launched.name);
}

void formwork_cuda_copy(formwork_device *device, void *to, const void *from, int64_t size) {
  if (size > 0 && !device->failed)
    device->check(
        device->driver.copyAsync(address(to), address(from), size_t(size), device->stream),
        "copying");
}

/// Where the two halves of a number differ, each element is stored by itself: constants of that
/// kind are few.
static Result fillEight(const formwork_device &device, DevicePointer to, uint64_t value,
                        int64_t count) {
  const Driver &driver = device.driver;
  auto low = unsigned(value), high = unsigned(value >> 32);
  if (low == high)
    return driver.fill32Async(to, low, size_t(2 * count), device.stream);
  Result result = success;
  for (int64_t i = 0; i < count && result == success; ++i) {
    result = driver.fill32Async(to + DevicePointer(8 * i), low, 1, device.stream);
    if (result == success)
      result = driver.fill32Async(to + DevicePointer(8 * i + 4), high, 1, device.stream);
  }
  return result;
}

static Result fill(const formwork_device &device, DevicePointer to, uint64_t value, int32_t size,
                   int64_t count) {
  const Driver &driver = device.driver;
  if (size == 1)
    return driver.fill8Async(to, static_cast<unsigned char>(value), size_t(count), device.stream);
  if (size == 2)
    return driver.fill16Async(to, static_cast<unsigned short>(value), size_t(count), device.stream);
  if (size == 4)
    return driver.fill32Async(to, unsigned(value), size_t(count), device.stream);
  return fillEight(device, to, value, count);
}

void formwork_cuda_fill(formwork_device *device, void *to, uint64_t value, int32_t size,
                        int64_t count) {
  if (count > 0 && !device->failed)
    device->check(fill(*device, address(to), value, size, count), "filling a buffer");
}

void formwork_cuda_store(formwork_device *device, void *to, uint64_t value, int32_t size) {
  formwork_cuda_fill(device, to, value, size, 1);
}

uint64_t formwork_cuda_load(formwork_device *device, const void *from, int32_t size) {
  uint64_t value = 0; // little-endian, as all of CUDA's hosts are
  if (!device->failed &&
      device->check(device->driver.streamSynchronize(device->stream), "computing") &&
      !device->check(device->driver.download(&value, address(from), size_t(size)),
                     "loading a number"))
    value = 0;
  return value;
}

void *formwork_cuda_literals(formwork_device *device) { return device->literals; }
