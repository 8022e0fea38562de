// A driver without a GPU: what libcuda.so.1 offers, as far as produced libraries use it, on the
// CPU.
//
// Kernels come from a library that FORMWORK_FAKE_KERNELS names: the printed CUDA C++, compiled with
// tests/cuda/fake_kernels.h. The image that is loaded must begin as a cubin does; what is in it is
// NVRTC's affair.
//
// It is as strict as a GPU, and stricter:
// - device memory cannot be touched by the program itself: its pages are closed but while the
// device
//   works, and behind each piece of memory lies a page that nobody may touch;
// - nothing that is enqueued happens before somebody waits for it, so that what is read too early
// or
//   overwritten too soon shows;
// - asynchronous copies take page-locked memory alone; device pointers must be the device's;
// - pointers that kernels get are checked; so are the sizes of graphs that are updated.
//
// FORMWORK_FAKE_REPORT names a file that receives how often each thing was done, for tests.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

namespace {

enum Result { success = 0, invalidValue = 1, outOfMemory = 2, notFound = 500, invalidImage = 200 };
using DevicePointer = unsigned long long;

[[noreturn]] void refuse(const char *what) {
  fprintf(stderr, "fake driver: %s\n", what);
  abort();
}

//===--- what was done, for tests ----------------------------------------------------------------

std::map<std::string, long> counts;

void writeReport() {
  const char *path = getenv("FORMWORK_FAKE_REPORT");
  FILE *file = path ? fopen(path, "w") : nullptr;
  if (!file)
    return;
  for (auto &[name, count] : counts)
    fprintf(file, "%s %ld\n", name.c_str(), count);
  fclose(file);
}

//===--- memory ----------------------------------------------------------------------------------

const size_t page = size_t(sysconf(_SC_PAGESIZE));

/// A piece of device memory: it ends where its pages end, and a closed page follows.
struct Piece {
  char *pages;
  size_t pageBytes, size;
};
std::map<DevicePointer, Piece> pieces;
std::map<char *, size_t> pinned;

/// The piece that [pointer, pointer + size) lies in, or null.
const Piece *pieceOf(DevicePointer pointer, size_t size) {
  auto next = pieces.upper_bound(pointer);
  if (next == pieces.begin())
    return nullptr;
  auto &[start, piece] = *--next;
  return pointer + size <= start + piece.size ? &piece : nullptr;
}

char *onDevice(DevicePointer pointer, size_t size) {
  if (!pieceOf(pointer, size))
    refuse("an address that is no device memory, or a copy beyond its end");
  return reinterpret_cast<char *>(pointer);
}

char *onHost(const void *pointer, size_t size) {
  char *begin = static_cast<char *>(const_cast<void *>(pointer));
  if (pieceOf(reinterpret_cast<DevicePointer>(pointer), 1))
    refuse("a device pointer where one of the host's is needed");
  (void)size;
  return begin;
}

char *onPinned(const void *pointer, size_t size) {
  char *begin = onHost(pointer, size);
  auto next = pinned.upper_bound(begin);
  if (next == pinned.begin())
    refuse("an asynchronous copy of memory that is not page-locked");
  auto &[start, bytes] = *--next;
  if (begin + size > start + bytes)
    refuse("an asynchronous copy of memory that is not page-locked");
  return begin;
}

/// Device memory is open as long as this lives.
class Open {
public:
  Open() { protect(PROT_READ | PROT_WRITE); }
  ~Open() { protect(PROT_NONE); }

private:
  static void protect(int access) {
    for (auto &[start, piece] : pieces)
      mprotect(piece.pages, piece.pageBytes, access);
  }
};

//===--- work ------------------------------------------------------------------------------------

using Launch = void(long long blocks, void **arguments);

struct Function {
  std::string name;
  Launch *launch;
  const unsigned char *sizes;    // of each parameter; ends in 0
  const unsigned char *pointers; // whether each is a pointer
};

struct Work {
  std::string kind; // what a graph's node may not change when it is updated
  std::function<void()> run;
};
using List = std::vector<Work>;

struct Stream {
  List pending;
  List *capture = nullptr;
};
struct Event {
  Stream *stream = nullptr;
};

void add(Stream *stream, std::string kind, std::function<void()> run) {
  (stream->capture ? *stream->capture : stream->pending)
      .push_back({std::move(kind), std::move(run)});
}

void drain(Stream *stream) {
  if (stream->capture)
    refuse("a stream that records a graph cannot be waited for");
  List work = std::move(stream->pending);
  stream->pending.clear();
  if (work.empty())
    return;
  Open open;
  for (Work &item : work)
    item.run();
}

std::vector<Stream *> streams;

/// As calls without a stream do.
void drainAll() {
  for (Stream *stream : streams)
    drain(stream);
}

struct KernelLibrary {
  void *handle = nullptr;
  std::map<std::string, Function> functions;
};

template <typename T> int fill(DevicePointer to, T value, size_t count, Stream *stream) {
  ++counts["fill"];
  onDevice(to, count * sizeof(T));
  add(stream, "fill", [=] {
    T *at = reinterpret_cast<T *>(onDevice(to, count * sizeof(T)));
    for (size_t i = 0; i < count; ++i)
      at[i] = value;
  });
  return success;
}

} // namespace

extern "C" {

int cuInit(unsigned) {
  static const bool registered = !atexit(writeReport);
  return registered && !getenv("FORMWORK_FAKE_NO_DEVICE") ? success : 100;
}
int cuGetErrorString(int error, const char **text) {
  *text = error == 100 ? "no CUDA-capable device is detected" : "fake error";
  return success;
}
int cuDeviceGetCount(int *count) { return *count = 1, success; }
int cuDeviceGet(int *device, int ordinal) { return *device = ordinal, success; }
int cuDeviceGetName(char *name, int length, int) {
  snprintf(name, size_t(length), "Fake GPU");
  return success;
}
int cuDeviceGetAttribute(int *value, int attribute, int) {
  const char *capability = getenv("FORMWORK_FAKE_CAPABILITY");
  int number = capability ? atoi(capability) : 90;
  *value = attribute == 75 ? number / 10 : number % 10;
  return success;
}
int cuDevicePrimaryCtxRetain(void **context, int) { return *context = &pieces, success; }
int cuDevicePrimaryCtxRelease_v2(int) { return success; }
int cuCtxPushCurrent_v2(void *) { return success; }
int cuCtxPopCurrent_v2(void **context) { return *context = &pieces, success; }

int cuModuleLoadData(KernelLibrary **library, const void *image) {
  bool isCubin = !memcmp(image, "\177ELF", 4);
  ++counts[isCubin ? "load cubin" : "load ptx"];
  if (!isCubin && !strstr(static_cast<const char *>(image), ".version"))
    return invalidImage;
  const char *path = getenv("FORMWORK_FAKE_KERNELS");
  void *handle = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : nullptr;
  if (!handle)
    refuse("FORMWORK_FAKE_KERNELS names no library");
  *library = new KernelLibrary{handle, {}};
  return success;
}
int cuModuleUnload(KernelLibrary *library) { return delete library, success; }
int cuModuleGetFunction(Function **function, KernelLibrary *library, const char *name) {
  auto find = [&](const char *prefix) {
    return dlsym(library->handle, (prefix + std::string(name)).c_str());
  };
  Function &found = library->functions[name];
  found.name = name;
  found.launch = reinterpret_cast<Launch *>(find("launch_"));
  using Describe = const unsigned char *();
  auto sizes = reinterpret_cast<Describe *>(find("sizes_"));
  auto pointers = reinterpret_cast<Describe *>(find("pointers_"));
  if (!found.launch || !sizes || !pointers)
    return notFound;
  found.sizes = sizes();
  found.pointers = pointers();
  *function = &found;
  return success;
}

int cuMemAlloc_v2(DevicePointer *memory, size_t size) {
  ++counts["allocate"];
  size_t bytes = (size + page - 1) / page * page;
  char *pages = static_cast<char *>(
      mmap(nullptr, bytes + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (pages == MAP_FAILED)
    return outOfMemory;
  // Aligned, and as near to the closed page as that allows.
  size_t first = (bytes - size) / 256 * 256;
  *memory = reinterpret_cast<DevicePointer>(pages + first);
  pieces[*memory] = {pages, bytes, size};
  Open open;
  memset(pages, 0xff, bytes); // NaN
  return success;
}
int cuMemFree_v2(DevicePointer memory) {
  drainAll();
  auto found = pieces.find(memory);
  if (found == pieces.end())
    refuse("what is freed was not allocated");
  munmap(found->second.pages, found->second.pageBytes + page);
  pieces.erase(found);
  return success;
}
int cuMemHostAlloc(void **memory, size_t size, unsigned) {
  *memory = malloc(size);
  pinned[static_cast<char *>(*memory)] = size;
  return success;
}
int cuMemFreeHost(void *memory) {
  drainAll();
  if (!pinned.erase(static_cast<char *>(memory)))
    refuse("what is freed was not allocated");
  free(memory);
  return success;
}

int cuMemcpyHtoD_v2(DevicePointer to, const void *from, size_t size) {
  ++counts["upload at once"];
  drainAll();
  Open open;
  memcpy(onDevice(to, size), onHost(from, size), size);
  return success;
}
int cuMemcpyDtoH_v2(void *to, DevicePointer from, size_t size) {
  ++counts["download at once"];
  drainAll();
  Open open;
  memcpy(onHost(to, size), onDevice(from, size), size);
  return success;
}
int cuMemcpyHtoDAsync_v2(DevicePointer to, const void *from, size_t size, Stream *stream) {
  ++counts["upload"];
  onDevice(to, size), onPinned(from, size);
  add(stream, "upload", [=] { memcpy(onDevice(to, size), onPinned(from, size), size); });
  return success;
}
int cuMemcpyDtoHAsync_v2(void *to, DevicePointer from, size_t size, Stream *stream) {
  ++counts["download"];
  onPinned(to, size), onDevice(from, size);
  add(stream, "download", [=] { memcpy(onPinned(to, size), onDevice(from, size), size); });
  return success;
}
int cuMemcpyDtoDAsync_v2(DevicePointer to, DevicePointer from, size_t size, Stream *stream) {
  ++counts["copy"];
  onDevice(to, size), onDevice(from, size);
  add(stream, "copy", [=] { memmove(onDevice(to, size), onDevice(from, size), size); });
  return success;
}
int cuMemsetD8Async(DevicePointer to, unsigned char value, size_t count, Stream *stream) {
  return fill(to, value, count, stream);
}
int cuMemsetD16Async(DevicePointer to, unsigned short value, size_t count, Stream *stream) {
  return to % 2 ? invalidValue : fill(to, value, count, stream);
}
int cuMemsetD32Async(DevicePointer to, unsigned value, size_t count, Stream *stream) {
  return to % 4 ? invalidValue : fill(to, value, count, stream);
}

int cuLaunchKernel(Function *function, unsigned blocks, unsigned y, unsigned z, unsigned threads,
                   unsigned, unsigned, unsigned, Stream *stream, void **parameters, void **) {
  ++counts["launch"];
  if (y != 1 || z != 1 || blocks == 0 || threads == 0 || threads > 1024)
    return invalidValue;
  // Parameters are read now, as the driver does.
  std::vector<uint64_t> values;
  for (size_t i = 0; function->sizes[i]; ++i) {
    values.push_back(0);
    memcpy(&values.back(), parameters[i], function->sizes[i]);
    // Empty buffers may be anywhere.
    if (function->pointers[i] && !pieceOf(values.back(), 0))
      refuse((function->name + " gets a pointer that is not the device's").c_str());
  }
  add(stream, function->name, [=]() mutable {
    ++counts["kernel"];
    std::vector<void *> given;
    for (uint64_t &value : values)
      given.push_back(&value);
    function->launch(blocks, given.data());
  });
  return success;
}

int cuStreamCreate(Stream **stream, unsigned) {
  *stream = new Stream;
  streams.push_back(*stream);
  return success;
}
int cuStreamDestroy_v2(Stream *stream) {
  std::erase(streams, stream);
  return delete stream, success;
}
int cuStreamSynchronize(Stream *stream) { return drain(stream), success; }
int cuStreamBeginCapture_v2(Stream *stream, int) {
  stream->capture = new List;
  return success;
}
int cuStreamEndCapture(Stream *stream, List **graph) {
  ++counts["record"];
  *graph = stream->capture;
  stream->capture = nullptr;
  return success;
}
int cuGraphInstantiateWithFlags(List **instance, List *graph, unsigned long long) {
  ++counts["instantiate"];
  *instance = new List(*graph);
  return success;
}
int cuGraphExecUpdate_v2(List *instance, List *graph, void *) {
  ++counts["update"];
  bool same = instance->size() == graph->size();
  for (size_t i = 0; same && i < graph->size(); ++i)
    same = (*instance)[i].kind == (*graph)[i].kind;
  if (!same)
    return 910;
  *instance = *graph;
  return success;
}
int cuGraphLaunch(List *instance, Stream *stream) {
  ++counts["graph"];
  for (Work &work : *instance)
    add(stream, work.kind, work.run);
  return success;
}
int cuGraphDestroy(List *graph) { return delete graph, success; }
int cuGraphExecDestroy(List *instance) { return delete instance, success; }

int cuEventCreate(Event **event, unsigned) { return *event = new Event, success; }
int cuEventDestroy_v2(Event *event) { return delete event, success; }
int cuEventRecord(Event *event, Stream *stream) { return event->stream = stream, success; }
int cuEventSynchronize(Event *event) {
  if (event->stream)
    drain(event->stream);
  return success;
}
}
