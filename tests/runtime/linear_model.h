// A model written by hand as the compiler would print it: linear regression of one number on three,
// trained by SGD with momentum, with every role that a descriptor knows.
#pragma once

#include "runtime/formwork.h"

#include <cstdint>

/// y = x kernel + bias; mean squared error; metrics `loss` and `mae`. Compiled for batches of 32
/// and in general. Its rng perturbs the inputs while training, unless the seed is 0.
const formwork_model *linear_model();

/// How often train_step ran, by compilation.
struct LinearCalls {
  int64_t specialized = 0, general = 0;
};
extern LinearCalls linear_calls;

/// The state's layout, for tests that look inside.
struct LinearState {
  alignas(64) float kernel[3];
  alignas(64) float bias[1];
  alignas(64) int64_t iterations;
  alignas(64) float learningRate;
  alignas(64) float kernelMomentum[3];
  alignas(64) float biasMomentum[1];
  alignas(64) int64_t rng[2];
  alignas(64) float sums[3]; // of losses, of absolute errors, of samples
};
