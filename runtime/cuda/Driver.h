// The part of CUDA's driver interface that is used, declared here and found at run time: nothing of
// CUDA is needed to build, and nothing but the driver to run.
#pragma once

#include <cstddef>
#include <cstdint>

namespace formwork::cuda {

using Result = int; // CUresult
using DevicePointer = unsigned long long;
using DeviceNumber = int;
using Context = struct CUctx_st *;
using Module = struct CUmod_st *;
using Function = struct CUfunc_st *;
using Stream = struct CUstream_st *;
using Event = struct CUevent_st *;
using Graph = struct CUgraph_st *;
using GraphExec = struct CUgraphExec_st *;

/// CUgraphExecUpdateResultInfo.
struct GraphUpdate {
  int result;
  void *errorNode, *errorFromNode;
};

constexpr Result success = 0;
constexpr int capabilityMajor = 75, capabilityMinor = 76; // CUdevice_attribute
constexpr unsigned streamNonBlocking = 1, eventDisableTiming = 2;
constexpr int captureThreadLocal = 1; // CUstreamCaptureMode

/// X(member, name in the library, parameters). Versions as in cuda.h of CUDA 11 to 13.
#define FORMWORK_CUDA_DRIVER(X)                                                                    \
  X(init, "cuInit", (unsigned flags))                                                              \
  X(getErrorString, "cuGetErrorString", (Result, const char **))                                   \
  X(deviceGetCount, "cuDeviceGetCount", (int *))                                                   \
  X(deviceGet, "cuDeviceGet", (DeviceNumber *, int ordinal))                                       \
  X(deviceGetName, "cuDeviceGetName", (char *, int length, DeviceNumber))                          \
  X(deviceGetAttribute, "cuDeviceGetAttribute", (int *, int attribute, DeviceNumber))              \
  X(primaryContextRetain, "cuDevicePrimaryCtxRetain", (Context *, DeviceNumber))                   \
  X(primaryContextRelease, "cuDevicePrimaryCtxRelease_v2", (DeviceNumber))                         \
  X(contextPush, "cuCtxPushCurrent_v2", (Context))                                                 \
  X(contextPop, "cuCtxPopCurrent_v2", (Context *))                                                 \
  X(moduleLoad, "cuModuleLoadData", (Module *, const void *image))                                 \
  X(moduleUnload, "cuModuleUnload", (Module))                                                      \
  X(moduleGetFunction, "cuModuleGetFunction", (Function *, Module, const char *))                  \
  X(allocate, "cuMemAlloc_v2", (DevicePointer *, size_t))                                          \
  X(release, "cuMemFree_v2", (DevicePointer))                                                      \
  X(allocateHost, "cuMemHostAlloc", (void **, size_t, unsigned flags))                             \
  X(releaseHost, "cuMemFreeHost", (void *))                                                        \
  X(upload, "cuMemcpyHtoD_v2", (DevicePointer, const void *, size_t))                              \
  X(download, "cuMemcpyDtoH_v2", (void *, DevicePointer, size_t))                                  \
  X(uploadAsync, "cuMemcpyHtoDAsync_v2", (DevicePointer, const void *, size_t, Stream))            \
  X(downloadAsync, "cuMemcpyDtoHAsync_v2", (void *, DevicePointer, size_t, Stream))                \
  X(copyAsync, "cuMemcpyDtoDAsync_v2", (DevicePointer, DevicePointer, size_t, Stream))             \
  X(fill8Async, "cuMemsetD8Async", (DevicePointer, unsigned char, size_t count, Stream))           \
  X(fill16Async, "cuMemsetD16Async", (DevicePointer, unsigned short, size_t count, Stream))        \
  X(fill32Async, "cuMemsetD32Async", (DevicePointer, unsigned, size_t count, Stream))              \
  X(launch, "cuLaunchKernel",                                                                      \
    (Function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,   \
     unsigned blockZ, unsigned sharedBytes, Stream, void **parameters, void **extra))              \
  X(streamCreate, "cuStreamCreate", (Stream *, unsigned flags))                                    \
  X(streamDestroy, "cuStreamDestroy_v2", (Stream))                                                 \
  X(streamSynchronize, "cuStreamSynchronize", (Stream))                                            \
  X(beginCapture, "cuStreamBeginCapture_v2", (Stream, int mode))                                   \
  X(endCapture, "cuStreamEndCapture", (Stream, Graph *))                                           \
  X(graphInstantiate, "cuGraphInstantiateWithFlags",                                               \
    (GraphExec *, Graph, unsigned long long flags))                                                \
  X(graphUpdate, "cuGraphExecUpdate_v2", (GraphExec, Graph, GraphUpdate *))                        \
  X(graphLaunch, "cuGraphLaunch", (GraphExec, Stream))                                             \
  X(graphDestroy, "cuGraphDestroy", (Graph))                                                       \
  X(graphExecDestroy, "cuGraphExecDestroy", (GraphExec))                                           \
  X(eventCreate, "cuEventCreate", (Event *, unsigned flags))                                       \
  X(eventDestroy, "cuEventDestroy_v2", (Event))                                                    \
  X(eventRecord, "cuEventRecord", (Event, Stream))                                                 \
  X(eventSynchronize, "cuEventSynchronize", (Event))

struct Driver {
#define FORMWORK_DECLARE(member, name, parameters) Result(*member) parameters;
  FORMWORK_CUDA_DRIVER(FORMWORK_DECLARE)
#undef FORMWORK_DECLARE
  void *library;

  /// Null on success, else what is missing: a text that lives as long as the program.
  const char *load();
  void unload();
  /// What a result means, never null.
  const char *describe(Result) const;
};

} // namespace formwork::cuda
