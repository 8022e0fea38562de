// Two models in one C++ program, through their classes and by their descriptors, on threads.
#include <digits.h>
#include <pilot.h>
#include <runtime/formwork_runtime.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

static void check(bool holds, const char *what) {
  if (!holds) {
    std::fprintf(stderr, "in_cxx: %s\n", what);
    std::exit(1);
  }
}

static bool hasEntry(const formwork_model *model, const std::string &name) {
  for (int i = 0; i < model->entry_count; ++i)
    if (model->entries[i].name == name)
      return true;
  return false;
}

/// The same steps, serially or on threads: the same bits.
static std::vector<float> train(formwork_context context) {
  formwork::digits model(context);
  std::vector<float> image(20 * 64), losses(20), probabilities(20 * 10), gradient(image.size());
  std::vector<int64_t> digit(20);
  for (size_t i = 0; i < image.size(); ++i)
    image[i] = float(i * 2654435761u % 1000) / 1000;
  for (size_t i = 0; i < digit.size(); ++i)
    digit[i] = int64_t(i % 10);
  for (float &loss : losses)
    check(model.train_step(20, image.data(), digit.data(), &loss) == FORMWORK_OK, "train_step");
  check(losses.back() < losses.front(), "training does not lower the loss");
  check(model.predict(20, image.data(), probabilities.data()) == FORMWORK_OK, "predict");
  float loss;
  check(model.loss_input_gradients(20, image.data(), digit.data(), &loss, gradient.data()) ==
            FORMWORK_OK,
        "loss_input_gradients");
  probabilities.insert(probabilities.end(), gradient.begin(), gradient.end());
  return probabilities;
}

int main() {
  check(hasEntry(digits_model(), "loss_input_gradients") &&
            hasEntry(digits_model(), "input_gradients"),
        "an entry that was asked for is missing");
  check(!hasEntry(pilot_model(), "train_step") && !hasEntry(pilot_model(), "loss_input_gradients"),
        "there is an entry that nobody asked for");

  formwork_pool *pool = formwork_pool_create(3);
  check(pool, "no threads");
  check(train({}) == train(formwork_pool_context(pool)), "threads change the result");
  formwork_pool_destroy(pool);

  formwork::pilot pilot;
  float position[3] = {0.1f, 0.2f, 0.3f}, wind[2] = {1, 2}, height, turn[2];
  check(pilot.predict(1, position, wind, &height, turn) == FORMWORK_OK, "predict");
  check(turn[0] + turn[1] > 0.999f && turn[0] + turn[1] < 1.001f, "probabilities do not add up");
  std::printf("threads and descriptors: as it should be\n");
}
