// A C++ program that uses the class of Scale.h's training library.
#include "scale.h"

#include <cstdio>

#define CHECK(condition)                                                                           \
  if (!(condition))                                                                                \
  return std::printf("line %d: %s\n", __LINE__, #condition), 1

int main() {
  formwork::scale model; // Begins from initial_state if there is one, else from init with seed 0.
  float x[6] = {1, 2, 3, 4, 5, 6}, y[6] = {}, loss = 0;
  const float first = scale_model()->initial_state ? 3 : 10;
  CHECK(model.predict(3, x, y) == FORMWORK_OK && y[5] == 6 * first);
  CHECK(model.train_step(3, x, x, &loss) == FORMWORK_OK && loss == first);
  CHECK(*static_cast<float *>(model.state()) == first + 1);

  formwork::scale moved = std::move(model);
  const int64_t seed = 7;
  CHECK(moved.init(&seed) == FORMWORK_OK && moved.predict(3, x, y) == FORMWORK_OK && y[0] == 17);
  CHECK(scale_model()->state_size == SCALE_STATE_SIZE);
  CHECK(scale_model()->entries[1].buffers[1].role == FORMWORK_TARGET);
  return 0;
}
