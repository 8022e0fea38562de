// What a caller of the C interface sees of a compiled classifier: its numbers, its checks, its
// manners with memory.
#include "tests/codegen/Compiled.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>
#include <fstream>
#include <sstream>
#include <thread>
#include <xmmintrin.h>

using namespace formwork::test;

namespace {

constexpr int inputs = 4, hidden = 8, classes = 3;
using Matrix = std::vector<double>;

std::string replaced(std::string text, const std::string &from, const std::string &to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

/// The general functions, and beside them concrete ones for batches of 16.
std::string classifier() {
  std::ifstream file(CLASSIFIER);
  std::stringstream stream;
  stream << file.rdbuf();
  std::string text = stream.str();
  size_t begin = text.find("func.func"), end = text.rfind('}');
  std::string concrete = replaced(text.substr(begin, end - begin), "<?x", "<16x");
  concrete = replaced(concrete, "<?>", "<16>");
  concrete = replaced(concrete, "<?xf64>", "<16xf64>");
  for (std::string entry : {"predict", "train_step"}) {
    concrete = replaced(concrete, "@" + entry + "(", "@" + entry + "__16(");
    concrete = replaced(concrete, "fw.entry = \"" + entry + "\"",
                        "fw.concrete_of = @" + entry + ", fw.dims = array<i64: 16>");
  }
  return text.substr(0, end) + concrete + "}";
}

/// The same model, as the textbook has it.
struct Reference {
  Matrix kernel0 = Matrix(inputs * hidden), bias0 = Matrix(hidden),
         kernel1 = Matrix(hidden * classes), bias1 = Matrix(classes);

  void forward(const Matrix &x, int row, Matrix &h, Matrix &probabilities) const {
    h.assign(hidden, 0);
    probabilities.assign(classes, 0);
    for (int j = 0; j < hidden; ++j) {
      h[j] = bias0[j];
      for (int i = 0; i < inputs; ++i)
        h[j] += x[row * inputs + i] * kernel0[i * hidden + j];
      h[j] = std::tanh(h[j]);
    }
    double sum = 0;
    for (int c = 0; c < classes; ++c) {
      double logit = bias1[c];
      for (int j = 0; j < hidden; ++j)
        logit += h[j] * kernel1[j * classes + c];
      sum += probabilities[c] = std::exp(logit);
    }
    for (double &probability : probabilities)
      probability /= sum;
  }

  double step(const Matrix &x, const Matrix &labels, double rate) {
    Reference next = *this;
    int batch = x.size() / inputs;
    double loss = 0;
    for (int row = 0; row < batch; ++row) {
      Matrix h, p;
      forward(x, row, h, p);
      Matrix dh(hidden);
      for (int c = 0; c < classes; ++c) {
        double label = labels[row * classes + c], dlogit = (p[c] - label) / batch;
        loss -= label * std::log(p[c]) / batch;
        next.bias1[c] -= rate * dlogit;
        for (int j = 0; j < hidden; ++j) {
          dh[j] += dlogit * kernel1[j * classes + c];
          next.kernel1[j * classes + c] -= rate * dlogit * h[j];
        }
      }
      for (int j = 0; j < hidden; ++j) {
        double dz = dh[j] * (1 - h[j] * h[j]);
        next.bias0[j] -= rate * dz;
        for (int i = 0; i < inputs; ++i)
          next.kernel0[i * hidden + j] -= rate * dz * x[row * inputs + i];
      }
    }
    *this = next;
    return loss;
  }
};

struct Batch {
  Matrix x, labels;
  explicit Batch(int size) : x(size * inputs), labels(size * classes) {
    std::mt19937 random(size);
    std::normal_distribution<double> normal;
    for (double &element : x)
      element = normal(random);
    for (int row = 0; row < size; ++row)
      labels[row * classes + random() % classes] = 1;
  }
};

std::string nameOf(const Pipeline &pipeline) {
  return std::string(pipeline.unoptimized ? "Scalar" : "Scheduled") +
         (pipeline.fuse ? "Fused" : "Single");
}

/// Every kind of pipeline keeps the same promises.
class EntryPoints : public testing::TestWithParam<Pipeline> {
protected:
  void SetUp() override {
    // Compiled once per pipeline; each test loads its own state.
    static std::map<std::string, std::unique_ptr<Compiled>> compiled;
    std::unique_ptr<Compiled> &slot = compiled[nameOf(GetParam())];
    if (!slot)
      slot = Compiled::create(classifier(), GetParam());
    model = slot.get();
    ASSERT_TRUE(model);
    std::mt19937 random(3);
    std::normal_distribution<double> normal(0, 0.5);
    for (auto [name, values] : variables())
      for (double &value : *values)
        value = normal(random);
    load();
  }

  std::vector<std::pair<std::string, Matrix *>> variables() {
    return {{"dense/kernel", &reference.kernel0},
            {"dense/bias", &reference.bias0},
            {"dense_1/kernel", &reference.kernel1},
            {"dense_1/bias", &reference.bias1}};
  }

  void load() {
    for (auto [name, values] : variables())
      std::copy(values->begin(), values->end(), model->variable<double>(name));
    *model->variable<double>("sgd/learning_rate") = rate;
  }

  double train(const Batch &batch, const std::string &suffix,
               const formwork_context *context = nullptr) {
    double loss = NAN;
    Batch copy = batch;
    EXPECT_EQ(model->call("train_step", suffix, {int64_t(batch.x.size() / inputs)},
                          {copy.x.data(), copy.labels.data(), &loss}, context),
              FORMWORK_OK);
    EXPECT_EQ(copy.x, batch.x) << "an input was written";
    return loss;
  }

  void expectSameVariables() {
    for (auto [name, values] : variables())
      for (size_t i = 0; i < values->size(); ++i)
        EXPECT_NEAR(model->variable<double>(name)[i], (*values)[i], 1e-12) << name << " " << i;
  }

  static constexpr double rate = 0.25;
  Compiled *model = nullptr;
  Reference reference;
};

TEST_P(EntryPoints, PredictsWhatTheFormulaSays) {
  for (int size : {0, 1, 7, 16, 33}) {
    Batch batch(size);
    for (std::string suffix : {"any", "16"}) {
      if (suffix == "16" && size != 16)
        continue;
      Matrix y(size * classes, NAN);
      ASSERT_EQ(model->call("predict", suffix, {size}, {batch.x.data(), y.data()}), FORMWORK_OK);
      for (int row = 0; row < size; ++row) {
        Matrix h, expected;
        reference.forward(batch.x, row, h, expected);
        for (int c = 0; c < classes; ++c)
          EXPECT_NEAR(y[row * classes + c], expected[c], 1e-14);
      }
    }
  }
}

TEST_P(EntryPoints, TrainsInPlaceWithBatchesOfAnySize) {
  for (int size : {16, 1, 7, 33}) {
    Batch batch(size);
    EXPECT_NEAR(train(batch, "any"), reference.step(batch.x, batch.labels, rate), 1e-13);
    expectSameVariables();
  }
}

TEST_P(EntryPoints, TrainsTheConcreteFunction) {
  for (int step = 0; step < 3; ++step) {
    Batch batch(16);
    EXPECT_NEAR(train(batch, "16"), reference.step(batch.x, batch.labels, rate), 1e-13);
    expectSameVariables();
  }
}

/// Runs the chunks in any order, on other threads.
void parallelFor(void *pool, int64_t chunks, void (*body)(void *, int64_t, int64_t), void *task) {
  ++*static_cast<int *>(pool);
  int64_t middle = chunks / 2;
  std::thread last([=] { body(task, middle, chunks); });
  body(task, 0, middle);
  last.join();
}

TEST_P(EntryPoints, GivesTheSameBitsWithThreads) {
  Batch batch(300);
  train(batch, "any");
  Matrix serial(model->variable<double>("dense/kernel"),
                model->variable<double>("dense/kernel") + inputs * hidden);
  load();
  int regions = 0;
  formwork_context context{parallelFor, &regions, nullptr};
  train(batch, "any", &context);
  for (size_t i = 0; i < serial.size(); ++i)
    EXPECT_EQ(serial[i], model->variable<double>("dense/kernel")[i]);
}

TEST_P(EntryPoints, RefusesSizesItIsNotFor) {
  Batch batch(17);
  Matrix y(17 * classes, -1);
  EXPECT_EQ(model->call("predict", "16", {17}, {batch.x.data(), y.data()}), FORMWORK_BAD_DIMS);
  EXPECT_EQ(y, Matrix(17 * classes, -1)) << "written in spite of the refusal";
}

TEST_P(EntryPoints, FlushesDenormalsAndRestoresTheMode) {
  unsigned before = _mm_getcsr();
  // Without input the kernel's gradient is zero, and a denormal minus zero is flushed.
  std::fill_n(model->variable<double>("dense/kernel"), inputs * hidden, 1e-310);
  Batch batch(2);
  std::fill(batch.x.begin(), batch.x.end(), 0);
  train(batch, "any");
  EXPECT_EQ(_mm_getcsr(), before);
  EXPECT_EQ(*model->variable<double>("dense/kernel"), 0);
}

TEST_P(EntryPoints, NeedsNoAllocator) {
  for (const std::string &name : model->undefinedSymbols())
    EXPECT_TRUE(llvm::is_contained({"memcpy", "memset", "exp", "log", "tanh"}, name)) << name;
}

INSTANTIATE_TEST_SUITE_P(, EntryPoints,
                         testing::Values(Pipeline{.fuse = false}, Pipeline{.fuse = true}),
                         [](const auto &info) { return nameOf(info.param); });

} // namespace
