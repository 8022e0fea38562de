// A program that uses the classes of two headers, on the CPU or, with an argument, on a GPU: one
// that trains and one for inference alone. Prints what they compute.
#include "infer.h"
#include "learn.h"

#include <cstdio>
#include <cstdlib>
#include <vector>

static constexpr int batch = 32, pixels = 64, kinds = 10;

static formwork_context contextOn(const formwork_model *model, bool gpu) {
  formwork_context context = {};
  if (gpu && model->accelerator->open(model->accelerator->code, 0, &context.device)) {
    std::fprintf(stderr, "%s\n", model->accelerator->message(context.device));
    std::exit(1);
  }
  return context;
}

static void close(const formwork_model *model, const formwork_context &context) {
  if (context.device)
    model->accelerator->close(context.device);
}

static std::vector<float> images() {
  std::vector<float> values(batch * pixels);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = float(i * 37 % 101) / 101;
  return values;
}

static void learn(bool gpu) {
  formwork_context context = contextOn(learn_model(), gpu);
  {
    formwork::learn model(context);
    std::vector<float> image = images(), answer(batch * kinds);
    std::vector<int64_t> digit(batch);
    for (int i = 0; i < batch; ++i)
      digit[i] = i % kinds;
    for (int step = 0; step < 5; ++step) {
      float loss = 0;
      if (model.train_step(batch, image.data(), digit.data(), &loss))
        std::exit(2);
      std::printf("%.4f\n", double(loss));
    }
    if (model.predict(batch, image.data(), answer.data()))
      std::exit(3);
    std::printf("%.4f\n", double(answer[0]));
  }
  close(learn_model(), context);
}

static void infer(bool gpu) {
  formwork_context context = contextOn(infer_model(), gpu);
  {
    formwork::infer model(context);
    std::vector<float> image = images(), answer(batch * kinds);
    if (model.predict(batch, image.data(), answer.data()))
      std::exit(4);
    std::printf("%.4f\n", double(answer[0]));
  }
  close(infer_model(), context);
}

int main(int argc, char **) {
  learn(argc > 1);
  infer(argc > 1);
}
