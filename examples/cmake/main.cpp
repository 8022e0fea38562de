// A product's own program around a model that learns: trains in its own loop, on the runtime's
// threads, and offers the model's whole command line too.
#include <digits.h>
#include <runtime/formwork_runtime.h>

#include <cstdio>
#include <vector>

/// Rows of bright pixels for each digit: what the product would measure.
static void measure(std::vector<float> &images, std::vector<int64_t> &digits) {
  static uint32_t noise = 1;
  for (size_t i = 0; i < digits.size(); ++i) {
    noise = noise * 1664525 + 1013904223;
    digits[i] = (noise >> 16) % 10;
    for (size_t pixel = 0; pixel < 64; ++pixel) {
      noise = noise * 1664525 + 1013904223;
      bool bright = pixel % 10 == static_cast<size_t>(digits[i]);
      images[i * 64 + pixel] = (bright ? 0.7f : 0.2f) + static_cast<float>(noise >> 24) / 1280;
    }
  }
}

int main(int argc, char **argv) {
  if (argc > 1) // ./learner train --data ..., evaluate, predict, bench, summary
    return formwork_main(argc, argv, digits_model());
  formwork_pool *pool = formwork_pool_create(0);
  if (!pool)
    return 1;
  formwork::digits model(formwork_pool_context(pool));
  std::vector<float> images(32 * 64), probabilities(32 * 10);
  std::vector<int64_t> digits(32);
  float loss = 0;
  for (int step = 0; step < 300; ++step) {
    measure(images, digits);
    if (model.train_step(32, images.data(), digits.data(), &loss) != FORMWORK_OK)
      return 1;
    if (step % 100 == 0 || step == 299)
      std::printf("step %3d: loss %.4f\n", step, static_cast<double>(loss));
  }
  formwork_pool_destroy(pool);
  return loss < 0.1f ? 0 : 1;
}
