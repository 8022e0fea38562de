/* Runs a digits classifier on one blank image, with the concrete function and with the general one. */
#include "digits.h"

#include <stdio.h>

static char arena[1 << 20] __attribute__((aligned(64)));
static float image[32 * 64], digit[32 * 10];

static float sum_of_first(void) {
  float sum = 0;
  for (int i = 0; i < 10; ++i)
    sum += digit[i];
  return sum;
}

int main(void) {
  const formwork_context serial = {0};
  const int64_t batches[] = {1, 32};
  for (int i = 0; i < 2; ++i) {
    if (digits_predict_arena_size(batches[i]) > (int64_t)sizeof arena)
      return 1;
    if (digits_predict(&serial, arena, batches[i], image, digit) != FORMWORK_OK)
      return 2;
    printf("sum of probabilities %.3f\n", (double)sum_of_first());
  }
  return 0;
}
