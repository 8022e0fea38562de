/* Prints a digits classifier's probabilities for one image, bit by bit. EXTERNAL: with the weights
 * that are in digits_weights.bin of the folder it runs in. */
#include "digits.h"

#include <stdio.h>
#include <stdlib.h>

static char arena[1 << 16] __attribute__((aligned(64)));

#ifdef EXTERNAL
static const void *weights(void) {
  const size_t size = DIGITS_CONSTANTS_SIZE;
  void *bytes = aligned_alloc(64, size);
  FILE *file = fopen("digits_weights.bin", "rb");
  if (!file || fread(bytes, 1, size, file) != size || getc(file) != EOF)
    exit(1);
  fclose(file);
  return bytes;
}
#endif

int main(void) {
  const formwork_context serial = {0};
  float image[64], digit[10];
  for (int i = 0; i < 64; ++i)
    image[i] = (float)(i % 17) / 16;
  if (digits_predict_arena_size(1) > (int64_t)sizeof arena)
    return 1;
#ifdef EXTERNAL
  int status = digits_predict(&serial, weights(), arena, 1, image, digit);
#else
  int status = digits_predict(&serial, arena, 1, image, digit);
#endif
  for (int i = 0; i < 10; ++i)
    printf("%a\n", (double)digit[i]);
  return status;
}
