/* Two models in one C program: predicts with both, asks for gradients of inputs, trains one.
 * Gradients are checked against central differences. */
#include <digits.h>
#include <pilot.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { batch = 32, pixels = 64, classes = 10 };

static const formwork_context serially = {0};

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static void *memory(int64_t size) { return aligned_alloc(64, (size_t)(size + 63) / 64 * 64); }

static void check(int holds, const char *what) {
  if (!holds) {
    fprintf(stderr, "in_c: %s\n", what);
    exit(1);
  }
}

/* Each class is a bright row of its own, with some noise. */
static void draw(float *image, int64_t *digit) {
  int i, j;
  uint32_t noise = 1;
  for (i = 0; i < batch; ++i) {
    digit[i] = i % classes;
    for (j = 0; j < pixels; ++j) {
      noise = noise * 1664525u + 1013904223u;
      image[i * pixels + j] =
          (j % classes == digit[i] ? 0.8f : 0.1f) + (float)(noise >> 24) / 2560.0f;
    }
  }
}

static double norm(const float *values, int count) {
  double sum = 0;
  int i;
  for (i = 0; i < count; ++i)
    sum += (double)values[i] * values[i];
  return sqrt(sum);
}

/* The loss's slope along its gradient is the gradient's length. At h = 0.01 rounding makes an error
 * of 2^-24 * loss / h < 2e-5, and the third derivative one of h^2 / 6 < 2e-5 times its size. */
static void check_loss_gradient(void *state, void *arena, const float *image,
                                const int64_t *digit) {
  static float gradient[batch * pixels], unused[batch * pixels], moved[batch * pixels];
  float loss, losses[2];
  double length, slope;
  int side, i;
  const float h = 0.01f;
  check(digits_loss_input_gradients(&serially, state, arena, batch, image, digit, &loss,
                                    gradient) == FORMWORK_OK,
        "loss_input_gradients failed");
  length = norm(gradient, batch * pixels);
  check(length > 1e-3, "the loss has no gradient with respect to the image");
  for (side = 0; side < 2; ++side) {
    for (i = 0; i < batch * pixels; ++i)
      moved[i] = image[i] + (side ? h : -h) * (float)(gradient[i] / length);
    digits_loss_input_gradients(&serially, state, arena, batch, moved, digit, &losses[side],
                                unused);
  }
  slope = ((double)losses[1] - losses[0]) / (2 * (double)h);
  check(fabs(slope - length) < 1e-3 * length + 1e-4, "the gradient of the loss is wrong");
  /* The learning rate times the gradient must lower the loss: what the gradient is for. */
  check(losses[1] > loss && losses[0] < loss, "the loss does not rise along its gradient");
}

static void use_digits(void) {
  static float image[batch * pixels], probabilities[batch * classes];
  static int64_t digit[batch];
  void *state = memory(DIGITS_STATE_SIZE);
  /* One arena for all calls, as large as the largest needs. */
  void *arena = memory(larger(
      larger(digits_train_step_arena_size(batch), digits_loss_input_gradients_arena_size(batch)),
      larger(digits_predict_arena_size(batch), digits_init_arena_size())));
  const int64_t seed = 1;
  float loss, first = 0;
  int i, step, right = 0;
  check(digits_init(&serially, state, arena, &seed) == FORMWORK_OK, "init failed");
  draw(image, digit);
  check_loss_gradient(state, arena, image, digit);
  for (step = 0; step < 100; ++step) {
    check(digits_train_step(&serially, state, arena, batch, image, digit, &loss) == FORMWORK_OK,
          "train_step failed");
    if (step == 0)
      first = loss;
  }
  check(loss < first / 4, "training does not lower the loss");
  check(digits_predict(&serially, state, arena, batch, image, probabilities) == FORMWORK_OK,
        "predict failed");
  for (i = 0; i < batch; ++i) {
    const float *row = probabilities + i * classes;
    int best = 0, j;
    for (j = 1; j < classes; ++j)
      best = row[j] > row[best] ? j : best;
    right += best == digit[i];
  }
  check(right == batch, "the model has not learned its training batch");
  printf("digits: loss %.3f -> %.3f, %d of %d right\n", first, loss, right, batch);
  free(state);
  free(arena);
}

/* height and turn, weighted: what the cotangents below are the gradient of. */
static double weighted(void *arena, const float *position, const float *wind) {
  float height[2], turn[4];
  check(pilot_predict(&serially, arena, 2, position, wind, height, turn) == FORMWORK_OK,
        "predict failed");
  return height[0] - 2.0 * height[1] + 3.0 * turn[0] + 0.5 * turn[3];
}

static void use_pilot(void) {
  float position[6] = {0.1f, -0.2f, 0.3f, 0.4f, 0.5f, -0.6f}, wind[4] = {1, -1, 0.5f, 0.25f};
  const float height_gradient[2] = {1, -2}, turn_gradient[4] = {3, 0, 0, 0.5f};
  float position_gradient[6], wind_gradient[4];
  void *arena = memory(larger(pilot_input_gradients_arena_size(2), pilot_predict_arena_size(2)));
  float *inputs[2];
  const float *gradients[2];
  int which, i;
  inputs[0] = position, inputs[1] = wind;
  gradients[0] = position_gradient, gradients[1] = wind_gradient;
  check(pilot_input_gradients(&serially, arena, 2, position, wind, height_gradient, turn_gradient,
                              position_gradient, wind_gradient) == FORMWORK_OK,
        "input_gradients failed");
  for (which = 0; which < 2; ++which)
    for (i = 0; i < (which ? 4 : 6); ++i) {
      const float h = 0.01f, old = inputs[which][i];
      double above, below;
      inputs[which][i] = old + h, above = weighted(arena, position, wind);
      inputs[which][i] = old - h, below = weighted(arena, position, wind);
      inputs[which][i] = old;
      /* Weights of this size have third derivatives below 10: h^2 / 6 times that, and rounding. */
      check(fabs((above - below) / (2 * h) - gradients[which][i]) < 5e-4,
            "a gradient of an input is wrong");
    }
  printf("pilot: gradients of both inputs agree with central differences\n");
  free(arena);
}

int main(void) {
  use_digits();
  use_pilot();
  return 0;
}
