/* From dlopen to the first result, and the most memory that was held: what a program pays that
 * loads a library, calls `predict` once and, if the model trains, `train_step`.
 *
 *   start LIBRARY NAME     prints JSON; sizes are those of each function's first compilation */
#include "runtime/formwork.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + 1e-9 * time.tv_nsec;
}

static void *zeros(int64_t size) {
  size_t rounded = (size + 64) / 64 * 64;
  void *memory = aligned_alloc(64, rounded);
  if (!memory)
    abort();
  return memset(memory, 0, rounded);
}

static int64_t size_of(const formwork_tensor *tensor, const int64_t *dims) {
  static const int64_t sizes[] = {1, 4, 8, 4, 8};
  int64_t size = sizes[tensor->dtype];
  for (int32_t axis = 0; axis < tensor->rank; ++axis)
    size *= tensor->shape[axis] >= 0 ? tensor->shape[axis] : dims[-1 - tensor->shape[axis]];
  return size;
}

static int call(const formwork_model *model, const formwork_entry *entry, void *state) {
  const formwork_concrete *concrete = &entry->concretes[0];
  int64_t ones[64] = {0};
  const int64_t *dims = concrete->dims ? concrete->dims : ones;
  for (int i = 0; i < 64; ++i)
    ones[i] = 1;
  void **buffers = zeros((entry->buffer_count + 1) * sizeof(void *));
  for (int32_t i = 0; i < entry->buffer_count; ++i)
    buffers[i] = zeros(size_of(&entry->buffers[i], dims));
  formwork_context context = {0};
  return concrete->run(&context, model->constants, state, zeros(concrete->arena_size(dims)), dims,
                       buffers);
}

/* The most memory since this program began; getrusage would count what its parent had. */
static long peak_bytes(void) {
  char line[256];
  long kilobytes = 0;
  FILE *file = fopen("/proc/self/status", "r");
  while (file && fgets(line, sizeof line, file))
    sscanf(line, "VmHWM: %ld", &kilobytes);
  if (file)
    fclose(file);
  return kilobytes * 1024;
}

static const formwork_entry *find(const formwork_model *model, const char *name) {
  for (int32_t i = 0; i < model->entry_count; ++i)
    if (!strcmp(model->entries[i].name, name))
      return &model->entries[i];
  return NULL;
}

int main(int argc, char **argv) {
  char symbol[512];
  if (argc != 3)
    return 2;
  snprintf(symbol, sizeof symbol, "%s_model", argv[2]);
  double start = now();
  void *library = dlopen(argv[1], RTLD_NOW);
  const formwork_model *(*get)(void) = NULL;
  if (library)
    *(void **)&get = dlsym(library, symbol);
  if (!get) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  const formwork_model *model = get();
  void *state = zeros(model->state_size);
  if (model->initial_state)
    memcpy(state, model->initial_state, model->state_size);
  const formwork_entry *predict = find(model, "predict"), *train = find(model, "train_step");
  int status = call(model, predict, state);
  double first = now() - start;
  if (train)
    status |= call(model, train, state);
  printf("{\"first_result_ms\": %.4f, \"peak_memory_bytes\": %ld}\n", 1e3 * first,
         peak_bytes());
  return status;
}
