/* A C program that uses the inference library of Scale.h: by name, and through its descriptor. */
#include "scale.h"

#include <stdio.h>
#include <string.h>

#define CHECK(condition)                                                                           \
  if (!(condition))                                                                                \
  return printf("line %d: %s\n", __LINE__, #condition), 1

static int through_the_descriptor(void) {
  const formwork_model *model = scale_model();
  CHECK(model->abi == FORMWORK_ABI && model->size == sizeof *model);
  CHECK(!strcmp(model->name, "scale") && !strcmp(model->target, "x86_64-linux-gnu generic"));
  CHECK(!strcmp(model->config, "{\"class_name\": \"Functional\"}") && !model->compile_config);
  CHECK(model->state_size == 0 && model->constants_size == 64 && !model->initial_state);
  CHECK((uintptr_t)model->constants % 64 == 0 && *(const float *)model->constants == 3);

  CHECK(model->variable_count == 1);
  const formwork_variable *factor = model->variables;
  CHECK(!strcmp(factor->name, "scale/factor") && !strcmp(factor->path, "layers/scale/vars/0"));
  CHECK(factor->role == FORMWORK_WEIGHT && factor->dtype == FORMWORK_F32 && factor->rank == 0);
  CHECK(factor->offset == 0 && !factor->slot_of);

  CHECK(model->entry_count == 1);
  const formwork_entry *predict = model->entries;
  CHECK(!strcmp(predict->name, "predict") && predict->dim_count == 1);
  CHECK(predict->buffer_count == 2 && predict->concrete_count == 2);
  CHECK(predict->buffers[0].shape[0] == -1 && predict->buffers[0].shape[1] == 2);
  CHECK(predict->concretes[0].dims[0] == 32 && predict->concretes[0].run == scale_predict__32);
  CHECK(!predict->concretes[1].dims && predict->concretes[1].run == scale_predict__any);
  const int64_t dims[] = {5};
  CHECK(predict->concretes[1].arena_size(dims) == 40);
  return 0;
}

int main(void) {
  const formwork_context serial = {0};
  float x[64], y[64];
  for (int i = 0; i < 64; ++i)
    x[i] = (float)i;
  CHECK(scale_predict_arena_size(7) == 56 &&
        scale_predict_arena_size(32) == SCALE_PREDICT_ARENA_SIZE_32);
  CHECK(scale_predict(&serial, NULL, 7, x, y) == FORMWORK_OK && y[13] == 39);
  CHECK(scale_predict(&serial, NULL, 32, x, y) == FORMWORK_OK && y[63] == -189);
  return through_the_descriptor();
}
