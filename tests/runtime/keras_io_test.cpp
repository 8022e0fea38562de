// .keras archives, checked against Keras: either side continues what the other began.
#include "runtime/data/ArrayFile.h"
#include "runtime/io/Checkpoint.h"
#include "runtime/train/Fit.h"
#include "tests/runtime/linear_model.h"
#include "tests/runtime/testing.h"

#include <cmath>
#include <cstddef>
#include <fstream>
#include <gtest/gtest.h>

using namespace formwork::runtime;

/// What all scripts begin with.
static const std::string prologue = R"(
import os, io, json, zipfile
os.environ.update(KERAS_BACKEND='tensorflow', CUDA_VISIBLE_DEVICES='', TF_CPP_MIN_LOG_LEVEL='3')
import h5py, keras, numpy as np

def build(optimizer):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizer, 'mse', metrics=['mae'])
    return model

def fit(model, epochs):
    data = np.load('data.npz')
    model.fit(data['x'], data['y'], batch_size=32, epochs=epochs, shuffle=False, verbose=0)

def dump(model, name):
    kernel, bias = model.get_weights()
    iteration, rate, m0, m1 = [np.array(v) for v in model.optimizer.variables]
    np.savez(name, kernel=kernel, bias=bias, iteration=iteration, rate=rate, m0=m0, m1=m1)
)";

static std::string readText(const std::string &name) {
  std::ifstream stream(temporary(name));
  return {std::istreambuf_iterator<char>(stream), {}};
}

namespace {
/// The linear model with the configuration that Keras gives to its own.
class KerasArchive : public testing::Test {
protected:
  static void SetUpTestSuite() {
    writeArrays(temporary("data.npz"), linearData(100));
    python(prologue + R"(
model = build(keras.optimizers.SGD(0.05, momentum=0.9))
fit(model, 2)
model.save('begun.keras')
dump(model, 'begun.npz')
fit(model, 2)
dump(model, 'continued.npz')
config = json.loads(zipfile.ZipFile('begun.keras').read('config.json'))
json.dump(config.pop('compile_config'), open('compile_config.json', 'w'))
json.dump(config, open('config.json', 'w'))
adam = build(keras.optimizers.Adam(0.05))
fit(adam, 1)
adam.save('adam.keras')
)");
  }

  KerasArchive()
      : config(readText("config.json")), compileConfig(readText("compile_config.json")),
        model(*linear_model()), variables(model.variables, model.variables + model.variable_count),
        instance(withConfig(), {}) {
    instance.initialize(0);
  }

  /// As the compiler makes the descriptor for a Keras model: with its configuration, and a place
  /// for the state of randomness, which no Keras model has.
  const formwork_model &withConfig() {
    for (formwork_variable &variable : variables)
      if (variable.role == FORMWORK_RNG)
        variable.path = "formwork/rng";
    model.variables = variables.data();
    model.config = config.c_str();
    model.compile_config = compileConfig.c_str();
    return model;
  }
  LinearState &state() { return *reinterpret_cast<LinearState *>(instance.writableVariables()); }
  std::string bits() {
    return {reinterpret_cast<const char *>(&state()), offsetof(LinearState, sums)};
  }

  History train(int64_t from, int64_t to, bool shuffle = false) {
    FitOptions options;
    options.initialEpoch = from;
    options.epochs = to;
    options.shuffle = shuffle;
    return fit(instance, linearDataset(100), nullptr, options);
  }

  /// Compares the state with what `dump` wrote.
  void expectState(const std::string &name, float tolerance) {
    ArrayFile file(temporary(name));
    auto expect = [&](size_t index, auto *values, int count) {
      Array array = file.read(index);
      for (int i = 0; i < count; ++i) {
        std::remove_pointer_t<decltype(values)> value;
        memcpy(&value, array.data + i * sizeof(value), sizeof(value));
        EXPECT_NEAR(double(values[i]), double(value), tolerance) << file.names()[index];
      }
    };
    expect(0, state().kernel, 3);
    expect(1, state().bias, 1);
    expect(3, &state().learningRate, 1);
    expect(4, state().kernelMomentum, 3);
    expect(5, state().biasMomentum, 1);
  }

  std::string config, compileConfig;
  formwork_model model;
  std::vector<formwork_variable> variables;
  Instance instance;
};
} // namespace

TEST_F(KerasArchive, IsReadWithTheStateOfItsOptimizer) {
  Position position = loadCheckpoint(temporary("begun.keras"), instance);
  EXPECT_TRUE(position.complete);
  EXPECT_FALSE(position.known);
  EXPECT_EQ(state().iterations, 8);
  expectState("begun.npz", 0);
}

TEST_F(KerasArchive, LetsTheRuntimeContinueWhatKerasBegan) {
  loadCheckpoint(temporary("begun.keras"), instance);
  train(2, 4);
  expectState("continued.npz", 1e-5f);
}

TEST_F(KerasArchive, LetsKerasContinueWhatTheRuntimeBegan) {
  train(0, 3);
  saveCheckpoint(temporary("mine.keras"), instance, {3, 0, true, true});
  std::string said = python(prologue + R"(
import warnings
with warnings.catch_warnings():
    warnings.simplefilter('error', UserWarning)  # as when the optimizer's state is skipped
    model = keras.models.load_model('mine.keras')
dump(model, 'loaded.npz')
fit(model, 2)
dump(model, 'onward.npz')
print(int(model.optimizer.iterations), model.optimizer.momentum, model.loss,
      model.evaluate(*np.load('data.npz').values(), verbose=0, return_dict=True).keys())
)");
  EXPECT_EQ(said, "20 0.9 mse dict_keys(['loss', 'mae'])\n");
  expectState("loaded.npz", 0);
  train(3, 5);
  expectState("onward.npz", 1e-5f);
}

TEST_F(KerasArchive, ResumesToTheSameBits) {
  state().rng[0] = 7; // training is noisy
  std::string fresh = bits();
  train(0, 5, /*shuffle=*/true);
  std::string whole = bits();
  memcpy(&state(), fresh.data(), fresh.size());
  train(0, 2, /*shuffle=*/true);
  saveCheckpoint(temporary("cut.keras"), instance, {2, 0, true, true});
  instance.initialize(99);
  Position position = loadCheckpoint(temporary("cut.keras"), instance);
  EXPECT_EQ(position.epoch, 2);
  EXPECT_TRUE(position.known && position.complete);
  train(2, 5, /*shuffle=*/true);
  EXPECT_EQ(bits(), whole);
}

TEST_F(KerasArchive, HasTheSameWeightsBytesForTheSameState) {
  saveCheckpoint(temporary("one.keras"), instance, {1, 0, true, true});
  saveCheckpoint(temporary("two.keras"), instance, {1, 0, true, true});
  EXPECT_EQ(python(R"(
import zipfile
one, two = zipfile.ZipFile('one.keras'), zipfile.ZipFile('two.keras')
print(all(one.read(n) == two.read(n) for n in one.namelist() if n != 'metadata.json'), one.testzip())
)"),
            "True None\n");
}

TEST_F(KerasArchive, OfAnotherOptimizerGivesItsWeightsAlone) {
  Position position = loadCheckpoint(temporary("adam.keras"), instance);
  EXPECT_FALSE(position.complete);
  EXPECT_NE(state().kernel[0], 0.1f);
  EXPECT_EQ(state().iterations, 0);
  EXPECT_EQ(state().kernelMomentum[0], 0);
}

TEST_F(KerasArchive, ThatReachesOutOfItselfIsRefused) {
  python(R"(
import io, h5py, numpy as np, zipfile
with h5py.File('secret.h5', 'w') as f:
    f['k'] = np.ones((3, 1), 'f4')
np.ones(3, 'f4').tofile('secret.bin')
def archive(name, kernel):
    image = io.BytesIO()
    with h5py.File(image, 'w') as f:
        g = f.create_group('layers/dense/vars')
        kernel(g)
        g['1'] = np.zeros(1, 'f4')
    with zipfile.ZipFile(name, 'w') as z:
        z.writestr('model.weights.h5', image.getvalue())
archive('link.keras', lambda g: g.__setitem__('0', h5py.ExternalLink('secret.h5', '/k')))
archive('soft.keras', lambda g: g.__setitem__('0', h5py.SoftLink('/nowhere')))
archive('external.keras',
        lambda g: g.create_dataset('0', (3, 1), 'f4', external=[('secret.bin', 0, 12)]))
archive('shape.keras', lambda g: g.__setitem__('0', np.zeros((1, 3), 'f4')))
archive('words.keras', lambda g: g.__setitem__('0', [['a'], ['b'], ['c']]))
)");
  for (const char *name : {"link", "soft", "external", "shape", "words"}) {
    std::string before = bits();
    std::string message =
        messageOf([&] { loadCheckpoint(temporary(name + std::string(".keras")), instance); });
    EXPECT_NE(message.find("linear/kernel"), std::string::npos) << name << ": " << message;
    EXPECT_EQ(bits(), before) << name;
  }
}

TEST_F(KerasArchive, CutShortIsRefused) {
  std::string whole = readText("begun.keras");
  for (size_t size = 0; size < whole.size(); size += 97) {
    std::ofstream(temporary("cut.keras"), std::ios::binary) << whole.substr(0, size);
    EXPECT_NE(messageOf([&] { loadCheckpoint(temporary("cut.keras"), instance); }), "(no error)")
        << size;
  }
}

TEST_F(KerasArchive, IsNotWrittenWithoutAConfiguration) {
  Instance bare(*linear_model(), {});
  std::string message = messageOf([&] { saveCheckpoint(temporary("bare.keras"), bare, {}); });
  EXPECT_NE(message.find("safetensors"), std::string::npos) << message;
  EXPECT_FALSE(std::ifstream(temporary("bare.keras")).good());
}
