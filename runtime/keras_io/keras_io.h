/* The interface of libformwork_keras_io.so, which programs load when a .keras file is asked for.
 *
 * A module of its own, because it needs HDF5 and a JSON library, and most programs never
 * read such a file. Plain C: the module and the program share nothing but this.
 */
#ifndef FORMWORK_KERAS_IO_H
#define FORMWORK_KERAS_IO_H

#include "runtime/formwork.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How far training has come. */
typedef struct formwork_keras_position {
  int64_t epoch;
  int64_t seed;
  int32_t known;    /* 0 for an archive that Formwork did not write: epoch and seed mean nothing */
  int32_t complete; /* 0 if the optimizer's state was not in the archive, or another optimizer's */
} formwork_keras_position;

/* `variables` is what the descriptor's offsets count from. Both return 0, or 1 and a message of at
 * most `size` bytes that ends with NUL. A failed load leaves `variables` as they were. */
typedef struct formwork_keras_io {
  uint32_t abi; /* FORMWORK_ABI */
  uint32_t size;
  int (*save)(const char *file, const formwork_model *model, const void *variables,
              const formwork_keras_position *position, char *message, size_t size);
  int (*load)(const char *file, const formwork_model *model, void *variables,
              formwork_keras_position *position, char *message, size_t size);
} formwork_keras_io;

/* The module's only symbol. */
const formwork_keras_io *formwork_keras_io_module(void);

#ifdef __cplusplus
}
#endif
#endif
