/* What a compiler would have produced for Scale.h. The concrete function negates, so that one sees
 * which was called. */
#include "scale.h"

int64_t scale_predict_arena__32(const int64_t *dims) { return (void)dims, 0; }
int64_t scale_predict_arena__any(const int64_t *dims) { return dims[0] * 8; }

int scale_predict__any(const formwork_context *context, const void *constants, void *state,
                       void *arena, const int64_t *dims, void *const *buffers) {
  const float factor = *(const float *)(state ? state : constants);
  const float *x = buffers[0];
  float *y = buffers[1];
  (void)context, (void)arena;
  for (int64_t i = 0; i < dims[0] * 2; ++i)
    y[i] = factor * x[i];
  return FORMWORK_OK;
}

int scale_predict__32(const formwork_context *context, const void *constants, void *state,
                      void *arena, const int64_t *dims, void *const *buffers) {
  int status = scale_predict__any(context, constants, state, arena, dims, buffers);
  for (int64_t i = 0; i < 64; ++i)
    ((float *)buffers[1])[i] *= -1;
  return status;
}

#ifdef SCALE_STATE_SIZE
int64_t scale_train_step_arena__any(const int64_t *dims) { return dims[0] * 8; }
int64_t scale_init_arena__any(const int64_t *dims) { return (void)dims, 0; }

int scale_train_step__any(const formwork_context *context, const void *constants, void *state,
                          void *arena, const int64_t *dims, void *const *buffers) {
  (void)context, (void)constants;
  ((char *)arena)[dims[0] * 8 - 1] = 1;
  *(float *)buffers[2] = *(const float *)state;
  *(float *)state += ((const float *)buffers[1])[0];
  return FORMWORK_OK;
}

int scale_init__any(const formwork_context *context, const void *constants, void *state,
                    void *arena, const int64_t *dims, void *const *buffers) {
  (void)context, (void)constants, (void)arena, (void)dims;
  *(float *)state = (float)*(const int64_t *)buffers[0] + 10;
  return FORMWORK_OK;
}
#endif
