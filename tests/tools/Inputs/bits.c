/* Prints the bits of the probabilities that digits finds for a few images. */
#include "digits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
  enum { batch = 33 };
  static float images[batch * 64], classes[batch * 10];
  const formwork_context context = {0};
  void *arena = aligned_alloc(64, (size_t)(digits_predict_arena_size(batch) / 64 + 1) * 64);
  for (int i = 0; i < batch * 64; ++i)
    images[i] = (float)(i * 7919 % 1013) / 128 - 4;
  if (arena == NULL || digits_predict(&context, arena, batch, images, classes) != FORMWORK_OK)
    return 1;
  for (int i = 0; i < batch * 10; ++i) {
    uint32_t bits;
    memcpy(&bits, &classes[i], sizeof bits);
    printf("%08" PRIx32 "\n", bits);
  }
  free(arena);
  return 0;
}
