/* What produced code for CUDA and the runtime beneath it know of each other.
 *
 * The compiler writes tables of these types into a model's object, and calls of the functions at
 * the end into its host schedules. Nothing here is for programs that use a model: they see
 * formwork_accelerator in formwork.h. No CUDA header is needed.
 */
#ifndef FORMWORK_CUDA_INTERFACE_H
#define FORMWORK_CUDA_INTERFACE_H

#include "runtime/formwork.h"

#ifdef __cplusplus
extern "C" {
#endif

/* All kernels compiled for one architecture. */
typedef struct formwork_cuda_image {
  int32_t capability; /* 10 * major + minor: 90 */
  int32_t kind;       /* formwork_cuda_image_kind */
  const void *data;   /* PTX ends in a NUL, which size counts */
  int64_t size;
} formwork_cuda_image;

typedef enum formwork_cuda_image_kind {
  FORMWORK_CUDA_CUBIN = 0,       /* runs on its capability and on later minor ones */
  FORMWORK_CUDA_EXACT_CUBIN = 1, /* on its capability alone: sm_90a */
  FORMWORK_CUDA_PTX = 2 /* on its capability and all later ones, after the driver's compiler */
} formwork_cuda_image_kind;

typedef struct formwork_cuda_kernel {
  const char *name; /* in each image */
  int32_t threads;  /* of a block */
  int32_t reserved;
} formwork_cuda_kernel;

/* The `code` of a formwork_accelerator. */
typedef struct formwork_cuda_code {
  const formwork_cuda_image *images;
  const formwork_cuda_kernel *kernels;
  int32_t image_count;
  int32_t kernel_count;
  const void *literals; /* what host schedules have of constant tensors */
  int64_t literals_size;
} formwork_cuda_code;

/* A buffer of an entry: how many bytes it has for given dims, and which way they go. */
typedef struct formwork_cuda_buffer {
  const int64_t *shape; /* as in formwork_tensor */
  int32_t rank;
  int32_t element_size;
  int32_t written; /* by the function; else it is read */
  int32_t reserved;
} formwork_cuda_buffer;

/* A host schedule: enqueues kernels and copies. All pointers are the device's. */
typedef void formwork_cuda_body(formwork_device *device, const void *constants, void *state,
                                void *arena, const int64_t *dims, void *const *buffers);

typedef struct formwork_cuda_program {
  formwork_cuda_body *body;
  const formwork_cuda_buffer *buffers;
  int32_t buffer_count;
  int32_t dim_count;
  int32_t straight; /* 1 if what it enqueues depends on dims and pointers alone: a graph */
  int32_t reserved;
} formwork_cuda_program;

/* A formwork_function on `context->device`. */
int formwork_cuda_run(const formwork_cuda_program *program, const formwork_context *context,
                      const void *constants, void *state, void *arena, const int64_t *dims,
                      void *const *buffers);

/* What bodies call. Once something has failed, they do nothing and `load` gives 0. */

/* `blocks` blocks of kernel number `kernel`, none if that is 0. Each argument has 8 bytes. */
void formwork_cuda_launch(formwork_device *device, int32_t kernel, int64_t blocks,
                          const uint64_t *arguments, int32_t argument_count);
void formwork_cuda_copy(formwork_device *device, void *to, const void *from, int64_t size);
/* `count` elements of the low `size` bytes of a number: 1, 2 or 4, or 8. */
void formwork_cuda_fill(formwork_device *device, void *to, uint64_t value, int32_t size,
                        int64_t count);
/* The low `size` bytes of a number: 1, 2, 4 or 8. `load` waits for all that was enqueued. */
void formwork_cuda_store(formwork_device *device, void *to, uint64_t value, int32_t size);
uint64_t formwork_cuda_load(formwork_device *device, const void *from, int32_t size);
/* The device's copy of the code's literals. */
void *formwork_cuda_literals(formwork_device *device);
/* 0 once something has failed: loops end. */
int32_t formwork_cuda_working(const formwork_device *device);

/* A formwork_accelerator's functions. */
int formwork_cuda_open(const void *code, int32_t number, formwork_device **device);
void formwork_cuda_close(formwork_device *device);
const char *formwork_cuda_message(const formwork_device *device);
void *formwork_cuda_allocate(formwork_device *device, int64_t size);
void formwork_cuda_release(formwork_device *device, void *memory);
int formwork_cuda_upload(formwork_device *device, void *to, const void *from, int64_t size);
int formwork_cuda_download(formwork_device *device, void *to, const void *from, int64_t size);
int formwork_cuda_synchronize(formwork_device *device);

#ifdef __cplusplus
}
#endif
#endif
