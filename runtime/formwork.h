/* The interface of produced code: how a compiled model is described and called.
 *
 * Plain C, so that C++, Python's ctypes and anything else can use it. A produced library exports
 * one descriptor, `const formwork_model *NAME_model(void)`; what is in it is constant data. Nothing
 * here allocates, has globals or keeps hidden state: the caller owns every byte that a call reads
 * or writes, and calls on distinct state and arena may run at the same time.
 */
#ifndef FORMWORK_ABI
#define FORMWORK_ABI 3

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Element types. A boolean is one byte, 0 or 1. */
typedef enum formwork_dtype {
  FORMWORK_BOOL = 0,
  FORMWORK_I32 = 1,
  FORMWORK_I64 = 2,
  FORMWORK_F32 = 3,
  FORMWORK_F64 = 4
} formwork_dtype;

/* What a buffer is to its function, or a variable to its model. */
typedef enum formwork_role {
  FORMWORK_INPUT = 0, /* buffers that the caller fills */
  FORMWORK_TARGET = 1,
  FORMWORK_SAMPLE_WEIGHT = 2,
  FORMWORK_SEED = 3,
  FORMWORK_OUTPUT = 4, /* buffers that the function fills */
  FORMWORK_LOSS = 5,
  FORMWORK_METRIC = 6,
  FORMWORK_GRADIENT = 7,        /* of a weight or input; an input of `apply`, else an output */
  FORMWORK_WEIGHT = 8,          /* variables */
  FORMWORK_SLOT = 9,            /* the optimizer's memory of a weight */
  FORMWORK_RNG = 10,            /* seed and counter of the model's randomness */
  FORMWORK_HYPERPARAMETER = 11, /* learning rate */
  FORMWORK_ITERATIONS = 12,
  FORMWORK_METRIC_STATE = 13,
  FORMWORK_COTANGENT = 14, /* d loss / d output, which the caller of `input_gradients` gives */
  FORMWORK_DERIVED = 15    /* a variable that `derive` computes of weights */
} formwork_role;

/* A GPU with a model's kernels loaded, by `open` of a formwork_accelerator. */
typedef struct formwork_device formwork_device;

/* Passed to every call. `parallel_for`, when not NULL, runs body(task, begin, end) over disjoint
 * ranges that cover [0, chunks) and returns when all have returned; it may call from any thread.
 * NULL means: serially. Results have the same bits either way.
 * `device`, when not NULL, was opened by this model's accelerator and is where the call runs; only
 * models that have an accelerator look at it. */
typedef struct formwork_context {
  void (*parallel_for)(void *pool, int64_t chunks,
                       void (*body)(void *task, int64_t begin, int64_t end), void *task);
  void *pool;
  formwork_device *device;
} formwork_context;

/* Every compiled function. Returns 0, or a formwork_status.
 *   constants  the descriptor's `constants`, or a copy of them, aligned to 64 bytes
 *   state      `state_size` bytes, aligned to 64: all variables; NULL if state_size is 0
 *   arena      scratch of at least the arena size for `dims`, aligned to 64; contents mean nothing
 *   dims       the size of each symbol of the entry, in order; may be NULL if it has none
 *   buffers    one pointer per formwork_tensor of the entry, row-major and dense, aligned to their
 *              element; outputs must not overlap anything else
 * With a device, constants, state and arena are memory of that device (the accelerator's
 * `allocate`); buffers are the caller's own memory as ever. The call may return before the device
 * is done: buffers it reads are the caller's again, those it fills must stay and are filled when
 * `synchronize` returns. */
typedef int formwork_function(const formwork_context *context, const void *constants, void *state,
                              void *arena, const int64_t *dims, void *const *buffers);

typedef enum formwork_status {
  FORMWORK_OK = 0,
  FORMWORK_BAD_DIMS = 1, /* negative, not what this concrete function was compiled for, or two sizes
                            that must agree do not */
  FORMWORK_NO_DEVICE = 2,    /* the context has no device, and the model no code for the CPU */
  FORMWORK_DEVICE_FAILED = 3 /* the accelerator's `message` says why; so will all later calls */
} formwork_status;

/* A buffer of an entry. */
typedef struct formwork_tensor {
  const char *name; /* the model's name for it: an input's, output's, metric's or variable's */
  int32_t role;     /* formwork_role */
  int32_t dtype;    /* formwork_dtype */
  int32_t rank;
  int32_t reserved;
  const int64_t *shape; /* a size, or -1-s for symbol s of `dims` */
  int64_t limit;        /* for indices: values must be in [0, limit); 0 if anything goes */
} formwork_tensor;

/* One compilation of an entry. */
typedef struct formwork_concrete {
  const int64_t *dims; /* the symbols' sizes it was compiled for; NULL: any */
  formwork_function *run;
  /* Bytes of arena that `run` needs for `dims`. */
  int64_t (*arena_size)(const int64_t *dims);
} formwork_concrete;

/* A function of the model: predict, train_step, evaluate_step, gradients, apply, finalize, init,
 * reset_metrics, metrics, input_gradients, loss_input_gradients, or one that the model itself adds.
 *   predict        inputs -> outputs
 *   train_step     inputs, targets -> loss; updates weights, slots, counters, metric state
 *   evaluate_step  inputs, targets -> loss; updates metric state only
 *   gradients      inputs, targets -> loss, one gradient per trainable weight; updates what the
 *                  forward pass does (moving statistics, randomness, metric state)
 *                  Compiled with --sample-weights, these three (and loss_input_gradients) take
 *                  after the targets, for each output that is trained, how much each sample counts:
 *                  of the output's shape without its last dimension
 *   apply          one gradient per trainable weight; updates weights, slots, counters
 *   finalize       ends training: the moving averages of weights replace them; only of models
 *                  whose optimizer keeps such averages
 *   init           seed (one int64) -> ; sets every variable
 *   derive         -> each derived variable's elements in row-major order. Where weights were
 *                  changed in a copy of the constants, what it gives must be written there before
 *                  anything else is called; only of models with such variables, none of which trains
 *   reset_metrics  sets metric state to its beginning
 *   metrics        -> each metric's value over all batches since reset_metrics, `loss` first; a
 *                  metric for each class or threshold has as many numbers
 * Where they were asked for (--input-gradients), in inference and without updating anything:
 *   input_gradients       inputs, a cotangent per output -> a gradient per floating-point input:
 *                         d sum(cotangent * output) / d input
 *   loss_input_gradients  inputs, targets -> loss, d loss / d input per floating-point input
 */
typedef struct formwork_entry {
  const char *name;
  int32_t buffer_count;
  int32_t dim_count;
  const formwork_tensor *buffers;
  int32_t concrete_count;
  int32_t reserved;
  const formwork_concrete *concretes; /* the first whose dims match is the one to run */
} formwork_entry;

/* A variable: in `state` if the model trains, else in `constants`. Its bytes are its elements: in
 * row-major order if `panel` is 0. Else it is a matrix whose columns lie in panels of that many,
 * one panel after the other, each in row-major order; formwork_place says where an element lies.
 * All of a model's functions use the same order; another compilation of the model may use another.
 */
typedef struct formwork_variable {
  const char *name; /* unique: "dense/kernel", "adam/dense/kernel/momentum" */
  const char *path; /* in a Keras .weights.h5: "layers/dense/vars/0"; NULL if it has no place */
  int32_t role;     /* formwork_role */
  int32_t dtype;    /* formwork_dtype */
  int32_t rank;
  int32_t trainable; /* 1 if train_step moves it along its gradient */
  const int64_t *shape;
  int64_t offset;      /* bytes from the start of state or constants, a multiple of 64 */
  int64_t panel;       /* columns of a panel, which divide the matrix's; 0: row-major */
  const char *slot_of; /* the variable whose slot this is; NULL for others */
} formwork_variable;

/* Where an element lies, in elements from the variable's offset, given its number in row-major
 * order. */
static inline int64_t formwork_place(const formwork_variable *variable, int64_t element) {
  int64_t columns, row, column;
  if (variable->panel == 0)
    return element;
  columns = variable->shape[1];
  row = element / columns;
  column = element % columns;
  return (column / variable->panel * variable->shape[0] + row) * variable->panel +
         column % variable->panel;
}

/* What models that run on GPUs offer beside their functions. Nothing here is global: a program may
 * open several devices, of one model or of several, each for one thread at a time. All functions
 * but `open`, `close` and `message` are for opened devices; those that return int return a
 * formwork_status. */
typedef struct formwork_accelerator {
  const char *name;      /* "cuda sm_80 sm_90" */
  int32_t has_host_code; /* 1 if the model runs on the CPU as well, where a context has no device */
  int32_t reserved;
  const void *code; /* the model's kernels: what `open` takes */
  /* Loads the driver and the kernels onto GPU `number`, from 0. Needs nothing but the driver to be
   * installed. *device is NULL only if there is no memory; after any other failure it holds the
   * message, and nothing may be done with it but to close it. */
  int (*open)(const void *code, int32_t number, formwork_device **device);
  void (*close)(formwork_device *device);
  /* Why the last call failed, or which GPU it is; lives as long as the device. */
  const char *(*message)(const formwork_device *device);
  /* Device memory of `size` bytes, all zero, aligned to 256; NULL if there is none. */
  void *(*allocate)(formwork_device *device, int64_t size);
  void (*release)(formwork_device *device, void *memory);
  /* Copies between device memory and the caller's, after all that was called before. */
  int (*upload)(formwork_device *device, void *to, const void *from, int64_t size);
  int (*download)(formwork_device *device, void *to, const void *from, int64_t size);
  /* Waits for all calls; then their outputs are where the caller wanted them. */
  int (*synchronize)(formwork_device *device);
} formwork_accelerator;

typedef struct formwork_model {
  uint32_t abi;  /* FORMWORK_ABI */
  uint32_t size; /* sizeof(formwork_model), for later additions at its end */
  const char *name;
  const char *target; /* what it was compiled for: "x86_64-linux-gnu znver4" */
  const char *config; /* the Keras configuration, JSON; NULL if it was left out */
  const char
      *compile_config;    /* optimizer, loss, metrics as Keras writes them, JSON; NULL if none */
  int64_t state_size;     /* bytes; 0 if the model does not train */
  int64_t constants_size; /* bytes */
  const void *constants;  /* weights, embedded; NULL if they are outside or come from init */
  /* The state to begin with (weights of the model file, zero iterations): state_size bytes, or NULL
   * if `init` is to make it. */
  const void *initial_state;
  int32_t variable_count;
  int32_t entry_count;
  const formwork_variable *variables;
  const formwork_entry *entries;
  const formwork_accelerator *accelerator; /* NULL if it runs on the CPU only */
} formwork_model;

#ifdef __cplusplus
}
#endif
#endif
