// A model written by hand; see linear_model.h. Rows are summed in chunks of eight whose partial
// sums are added in order, so that threads do not change the bits, as in produced code.
#include "tests/runtime/linear_model.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>

LinearCalls linear_calls;

namespace {
constexpr int64_t chunkRows = 8;
constexpr float momentum = 0.9f;

/// What a chunk of rows adds up to.
struct Partial {
  float kernel[3], bias, squares, magnitudes;
};

struct Task {
  const LinearState *state;
  const float *x, *y;
  int64_t rows;
  bool training;
  Partial *partials;
};

float noise(const LinearState &state, int64_t element) {
  if (state.rng[0] == 0)
    return 0;
  uint64_t word = uint64_t(state.rng[0]) * 0x9E3779B97F4A7C15u + uint64_t(state.rng[1]) * 1000003 +
                  uint64_t(element);
  word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9u;
  return float(word >> 40) * 0x1p-24f * 0.01f;
}

void sumChunks(void *argument, int64_t begin, int64_t end) {
  const Task &task = *static_cast<Task *>(argument);
  for (int64_t chunk = begin; chunk < end; ++chunk) {
    Partial sum = {};
    for (int64_t row = chunk * chunkRows; row < std::min(task.rows, (chunk + 1) * chunkRows);
         ++row) {
      float x[3], error = task.state->bias[0] - task.y[row];
      for (int64_t i = 0; i < 3; ++i) {
        x[i] = task.x[row * 3 + i] + (task.training ? noise(*task.state, row * 3 + i) : 0);
        error += x[i] * task.state->kernel[i];
      }
      for (int64_t i = 0; i < 3; ++i)
        sum.kernel[i] += error * x[i];
      sum.bias += error;
      sum.squares += error * error;
      sum.magnitudes += std::fabs(error);
    }
    task.partials[chunk] = sum;
  }
}

int64_t chunks(int64_t rows) { return (rows + chunkRows - 1) / chunkRows; }
int64_t stepArena(const int64_t *dims) { return chunks(dims[0]) * int64_t(sizeof(Partial)); }
int64_t noArena(const int64_t *) { return 0; }

Partial sumRows(const formwork_context *context, LinearState &state, void *arena, int64_t rows,
                void *const *buffers, bool training) {
  Task task{&state,   static_cast<float *>(buffers[0]), static_cast<float *>(buffers[1]), rows,
            training, static_cast<Partial *>(arena)};
  if (context->parallel_for)
    context->parallel_for(context->pool, chunks(rows), sumChunks, &task);
  else
    sumChunks(&task, 0, chunks(rows));
  Partial sum = {};
  for (int64_t chunk = 0; chunk < chunks(rows); ++chunk) {
    for (int64_t i = 0; i < 3; ++i)
      sum.kernel[i] += task.partials[chunk].kernel[i];
    sum.bias += task.partials[chunk].bias;
    sum.squares += task.partials[chunk].squares;
    sum.magnitudes += task.partials[chunk].magnitudes;
  }
  *static_cast<float *>(buffers[2]) = sum.squares / float(rows);
  state.sums[0] += sum.squares;
  state.sums[1] += sum.magnitudes;
  state.sums[2] += float(rows);
  return sum;
}

int train(const formwork_context *context, void *bytes, void *arena, const int64_t *dims,
          void *const *buffers) {
  auto &state = *static_cast<LinearState *>(bytes);
  Partial sum = sumRows(context, state, arena, dims[0], buffers, /*training=*/true);
  float scale = -state.learningRate * 2 / float(dims[0]);
  for (int i = 0; i < 3; ++i) {
    state.kernelMomentum[i] = momentum * state.kernelMomentum[i] + scale * sum.kernel[i];
    state.kernel[i] += state.kernelMomentum[i];
  }
  state.biasMomentum[0] = momentum * state.biasMomentum[0] + scale * sum.bias;
  state.bias[0] += state.biasMomentum[0];
  ++state.iterations;
  ++state.rng[1];
  return FORMWORK_OK;
}

int trainAny(const formwork_context *context, const void *, void *state, void *arena,
             const int64_t *dims, void *const *buffers) {
  ++linear_calls.general;
  return dims[0] < 0 ? FORMWORK_BAD_DIMS : train(context, state, arena, dims, buffers);
}

int train32(const formwork_context *context, const void *, void *state, void *arena,
            const int64_t *dims, void *const *buffers) {
  ++linear_calls.specialized;
  return dims[0] != 32 ? FORMWORK_BAD_DIMS : train(context, state, arena, dims, buffers);
}

int evaluateAny(const formwork_context *context, const void *, void *state, void *arena,
                const int64_t *dims, void *const *buffers) {
  sumRows(context, *static_cast<LinearState *>(state), arena, dims[0], buffers, /*training=*/false);
  return FORMWORK_OK;
}

int predictAny(const formwork_context *, const void *, void *bytes, void *, const int64_t *dims,
               void *const *buffers) {
  auto &state = *static_cast<LinearState *>(bytes);
  auto *x = static_cast<float *>(buffers[0]), *y = static_cast<float *>(buffers[1]);
  for (int64_t row = 0; row < dims[0]; ++row) {
    y[row] = state.bias[0];
    for (int64_t i = 0; i < 3; ++i)
      y[row] += x[row * 3 + i] * state.kernel[i];
  }
  return FORMWORK_OK;
}

int init(const formwork_context *, const void *, void *bytes, void *, const int64_t *,
         void *const *buffers) {
  auto &state = *static_cast<LinearState *>(bytes);
  state = {};
  state.learningRate = 0.05f;
  state.rng[0] = *static_cast<int64_t *>(buffers[0]);
  for (int i = 0; i < 3; ++i)
    state.kernel[i] = 0.1f * float(i + 1);
  return FORMWORK_OK;
}

int resetMetrics(const formwork_context *, const void *, void *bytes, void *, const int64_t *,
                 void *const *) {
  std::fill_n(static_cast<LinearState *>(bytes)->sums, 3, 0.0f);
  return FORMWORK_OK;
}

int metrics(const formwork_context *, const void *, void *bytes, void *, const int64_t *,
            void *const *buffers) {
  auto &state = *static_cast<LinearState *>(bytes);
  *static_cast<float *>(buffers[0]) = state.sums[0] / state.sums[2];
  *static_cast<float *>(buffers[1]) = state.sums[1] / state.sums[2];
  return FORMWORK_OK;
}

//===--- the descriptor ---------------------------------------------------------------------------

constexpr int64_t xShape[] = {-1, 3}, yShape[] = {-1, 1}, kernelShape[] = {3, 1}, oneShape[] = {1},
                  twoShape[] = {2}, threeShape[] = {3}, batch32[] = {32};

constexpr formwork_tensor stepBuffers[] = {
    {"x", FORMWORK_INPUT, FORMWORK_F32, 2, 0, xShape, 0},
    {"linear", FORMWORK_TARGET, FORMWORK_F32, 2, 0, yShape, 0},
    {"loss", FORMWORK_LOSS, FORMWORK_F32, 0, 0, nullptr, 0},
};
constexpr formwork_tensor predictBuffers[] = {
    {"x", FORMWORK_INPUT, FORMWORK_F32, 2, 0, xShape, 0},
    {"linear", FORMWORK_OUTPUT, FORMWORK_F32, 2, 0, yShape, 0},
};
constexpr formwork_tensor seedBuffer[] = {{"seed", FORMWORK_SEED, FORMWORK_I64, 0, 0, nullptr, 0}};
constexpr formwork_tensor metricBuffers[] = {
    {"loss", FORMWORK_METRIC, FORMWORK_F32, 0, 0, nullptr, 0},
    {"mae", FORMWORK_METRIC, FORMWORK_F32, 0, 0, nullptr, 0},
};

constexpr formwork_concrete trainConcretes[] = {{batch32, train32, stepArena},
                                                {nullptr, trainAny, stepArena}};
constexpr formwork_concrete evaluateConcretes[] = {{nullptr, evaluateAny, stepArena}};
constexpr formwork_concrete predictConcretes[] = {{nullptr, predictAny, noArena}};
constexpr formwork_concrete initConcretes[] = {{nullptr, init, noArena}};
constexpr formwork_concrete resetConcretes[] = {{nullptr, resetMetrics, noArena}};
constexpr formwork_concrete metricsConcretes[] = {{nullptr, metrics, noArena}};

constexpr formwork_entry modelEntries[] = {
    {"predict", 2, 1, predictBuffers, 1, 0, predictConcretes},
    {"train_step", 3, 1, stepBuffers, 2, 0, trainConcretes},
    {"evaluate_step", 3, 1, stepBuffers, 1, 0, evaluateConcretes},
    {"init", 1, 0, seedBuffer, 1, 0, initConcretes},
    {"reset_metrics", 0, 0, nullptr, 1, 0, resetConcretes},
    {"metrics", 2, 0, metricBuffers, 1, 0, metricsConcretes},
};

constexpr formwork_variable modelVariables[] = {
    {"linear/kernel", "layers/dense/vars/0", FORMWORK_WEIGHT, FORMWORK_F32, 2, 1, kernelShape,
     offsetof(LinearState, kernel), 0, nullptr},
    {"linear/bias", "layers/dense/vars/1", FORMWORK_WEIGHT, FORMWORK_F32, 1, 1, oneShape,
     offsetof(LinearState, bias), 0, nullptr},
    {"sgd/iterations", "optimizer/vars/0", FORMWORK_ITERATIONS, FORMWORK_I64, 0, 0, nullptr,
     offsetof(LinearState, iterations), 0, nullptr},
    {"sgd/learning_rate", "optimizer/vars/1", FORMWORK_HYPERPARAMETER, FORMWORK_F32, 0, 0, nullptr,
     offsetof(LinearState, learningRate), 0, nullptr},
    {"sgd/linear/kernel/momentum", "optimizer/vars/2", FORMWORK_SLOT, FORMWORK_F32, 2, 0,
     kernelShape, offsetof(LinearState, kernelMomentum), 0, "linear/kernel"},
    {"sgd/linear/bias/momentum", "optimizer/vars/3", FORMWORK_SLOT, FORMWORK_F32, 1, 0, oneShape,
     offsetof(LinearState, biasMomentum), 0, "linear/bias"},
    {"rng", nullptr, FORMWORK_RNG, FORMWORK_I64, 1, 0, twoShape, offsetof(LinearState, rng), 0,
     nullptr},
    {"metrics/sums", nullptr, FORMWORK_METRIC_STATE, FORMWORK_F32, 1, 0, threeShape,
     offsetof(LinearState, sums), 0, nullptr},
};

constexpr formwork_model model = {FORMWORK_ABI,
                                  sizeof(formwork_model),
                                  "linear",
                                  "the machine of this test",
                                  nullptr,
                                  nullptr,
                                  sizeof(LinearState),
                                  0,
                                  nullptr,
                                  nullptr,
                                  int32_t(std::size(modelVariables)),
                                  int32_t(std::size(modelEntries)),
                                  modelVariables,
                                  modelEntries};
} // namespace

const formwork_model *linear_model() { return &model; }
