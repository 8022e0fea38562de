// Training, evaluation and prediction of the hand-written linear model.
#include "runtime/train/Fit.h"

#include "runtime/Error.h"
#include "runtime/cpu/ThreadPool.h"
#include "runtime/io/Checkpoint.h"
#include "runtime/train/Shuffle.h"
#include "tests/runtime/linear_model.h"
#include "tests/runtime/testing.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <numeric>

using namespace formwork::runtime;

namespace {
/// A fresh model; a seed other than 0 makes training noisy.
struct Linear {
  explicit Linear(int64_t seed = 0, int threads = 1)
      : pool(threads), instance(*linear_model(), pool.context()) {
    instance.initialize(seed);
  }
  LinearState &state() { return *reinterpret_cast<LinearState *>(instance.writableVariables()); }
  std::string bits() {
    return {reinterpret_cast<const char *>(&state()), offsetof(LinearState, sums)};
  }
  ThreadPool pool;
  Instance instance;
};

FitOptions options(int64_t epochs, int64_t batchSize) {
  FitOptions result;
  result.epochs = epochs;
  result.batchSize = batchSize;
  return result;
}

/// Of a metric that is one number: that of each epoch.
std::vector<double> series(const History &history, const std::string &name) {
  std::vector<double> numbers;
  for (const History::Series &series : history.series)
    if (series.name == name) {
      for (const std::vector<double> &epoch : series.values)
        numbers.push_back(epoch.at(0));
      return numbers;
    }
  throw std::runtime_error("no series " + name);
}

/// The updates written down once more, in plain loops over rows in their order.
void referenceSteps(LinearState &state, const Dataset &data, int64_t rows, int64_t batch) {
  auto *x = reinterpret_cast<const float *>(data.columns[0].array.data);
  auto *y = reinterpret_cast<const float *>(data.columns[1].array.data);
  for (int64_t begin = 0; begin < rows; begin += batch) {
    int64_t count = std::min(batch, rows - begin);
    double gradient[4] = {};
    for (int64_t row = begin; row < begin + count; ++row) {
      double error = state.bias[0] - y[row];
      for (int i = 0; i < 3; ++i)
        error += x[row * 3 + i] * state.kernel[i];
      for (int i = 0; i < 3; ++i)
        gradient[i] += 2 * error * x[row * 3 + i] / double(count);
      gradient[3] += 2 * error / double(count);
    }
    for (int i = 0; i < 4; ++i) {
      float &value = i < 3 ? state.kernel[i] : state.bias[0];
      float &moment = i < 3 ? state.kernelMomentum[i] : state.biasMomentum[0];
      moment = float(0.9 * moment - state.learningRate * gradient[i]);
      value += moment;
    }
  }
}
} // namespace

class BatchSizes : public testing::TestWithParam<int64_t> {};

TEST_P(BatchSizes, GiveTheUpdatesThatTheyShould) {
  Linear model, reference;
  Dataset data = linearDataset(257);
  FitOptions plain = options(1, GetParam());
  plain.shuffle = false;
  History history = fit(model.instance, data, nullptr, plain);
  referenceSteps(reference.state(), data, 257, GetParam());
  for (int i = 0; i < 3; ++i)
    EXPECT_NEAR(model.state().kernel[i], reference.state().kernel[i], 2e-5);
  EXPECT_NEAR(model.state().bias[0], reference.state().bias[0], 2e-5);
  EXPECT_EQ(history.samples, 257);
  EXPECT_EQ(history.steps, (257 + GetParam() - 1) / GetParam());
  EXPECT_EQ(model.state().iterations, history.steps);
}

INSTANTIATE_TEST_SUITE_P(Fit, BatchSizes, testing::Values(1, 7, 31, 32, 257, 1000));

TEST(Fit, RunsWholeBatchesSpecializedAndTheRestInGeneral) {
  Linear model;
  linear_calls = {};
  fit(model.instance, linearDataset(100), nullptr, options(2, 32));
  EXPECT_EQ(linear_calls.specialized, 6);
  EXPECT_EQ(linear_calls.general, 2);
}

TEST(Fit, EndsInTheSameBitsWithAnyNumberOfThreads) {
  Dataset data = linearDataset(1000);
  Linear one(5, 1), two(5, 2), three(5, 3);
  for (Linear *model : {&one, &two, &three})
    fit(model->instance, data, nullptr, options(3, 100));
  EXPECT_EQ(one.bits(), two.bits());
  EXPECT_EQ(one.bits(), three.bits());
}

TEST(Fit, ResumedFromACheckpointEndsInTheSameBits) {
  Dataset data = linearDataset(333);
  FitOptions all = options(7, 32), begin = options(3, 32);
  all.seed = begin.seed = 11;
  Linear whole(11), first(11), second(99);
  fit(whole.instance, data, nullptr, all);
  fit(first.instance, data, nullptr, begin);
  saveCheckpoint(temporary("cut.safetensors"), first.instance, {3, 11, true, true});
  Position position = loadCheckpoint(temporary("cut.safetensors"), second.instance);
  EXPECT_TRUE(position.known);
  all.initialEpoch = position.epoch;
  all.seed = position.seed;
  fit(second.instance, data, nullptr, all);
  EXPECT_EQ(whole.bits(), second.bits());
}

TEST(Fit, ShowsTheLossOfAllSamplesAlike) {
  Linear model;
  model.state().learningRate = 0; // so that every batch meets the same weights
  Dataset data = linearDataset(100);
  History history = fit(model.instance, data, nullptr, options(1, 64));
  auto *x = reinterpret_cast<const float *>(data.columns[0].array.data);
  auto *y = reinterpret_cast<const float *>(data.columns[1].array.data);
  double squares = 0;
  for (int i = 0; i < 100; ++i)
    squares += std::pow(x[i * 3] * 0.1 + x[i * 3 + 1] * 0.2 + x[i * 3 + 2] * 0.3 - y[i], 2);
  EXPECT_NEAR(series(history, "loss")[0], squares / 100, 1e-5);
}

/// The linear data with one target that is not a number, far from the first batch.
static Dataset damagedDataset(int64_t rows, int64_t row) {
  Dataset data = linearDataset(rows);
  auto *y = reinterpret_cast<float *>(const_cast<std::byte *>(data.columns[1].array.data));
  y[row] = NAN;
  return data;
}

TEST(Fit, StopsWhenTheLossIsNotANumberAndNamesWhy) {
  Linear model;
  FitOptions plain = options(3, 10);
  plain.shuffle = false;
  std::string message =
      messageOf([&] { fit(model.instance, damagedDataset(100, 57), nullptr, plain); });
  for (const char *part : {"the loss became nan in epoch 1, step 6", "row 57", "the value is nan",
                           "--no-terminate-on-nan"})
    EXPECT_NE(message.find(part), std::string::npos) << message;
  EXPECT_EQ(model.state().iterations, 6);
}

TEST(Fit, KeepsTheEndOfTheDataForValidation) {
  Linear model;
  FitOptions split = options(2, 32);
  split.validationSplit = 0.25;
  Dataset data = linearDataset(101);
  History history = fit(model.instance, data, nullptr, split);
  EXPECT_EQ(history.samples, 2 * 75); // floor(101 * 0.75)
  auto expected = evaluate(model.instance, data, 75, 101, 7);
  EXPECT_NEAR(series(history, "val_loss")[1], expected[0].second.front(), 1e-6);
  EXPECT_NEAR(series(history, "val_mae")[1], expected[1].second.front(), 1e-6);
}

TEST(Fit, RefusesASplitThatLeavesNothing) {
  Linear model;
  FitOptions split = options(1, 32);
  split.validationSplit = 0.9;
  Dataset data = linearDataset(5);
  EXPECT_NE(messageOf([&] { fit(model.instance, data, nullptr, split); }).find("5 samples"),
            std::string::npos);
}

TEST(Fit, GoesOnThroughTheDataWithStepsPerEpoch) {
  // Three epochs of 2, 2 and 1 steps make one pass, as in Keras.
  Linear inSteps, inPasses;
  Dataset data = linearDataset(5 * 32);
  FitOptions steps = options(6, 32), passes = options(2, 32);
  steps.stepsPerEpoch = 2;
  History history = fit(inSteps.instance, data, nullptr, steps);
  fit(inPasses.instance, data, nullptr, passes);
  EXPECT_EQ(history.steps, 10);
  EXPECT_EQ(inSteps.bits(), inPasses.bits());
}

TEST(Fit, GoesOnWithoutANumberForLossIfToldToAndSaysItOnce) {
  Linear model;
  model.state().kernel[0] = NAN;
  Dataset data = linearDataset(64);
  FitOptions goOn = options(2, 32);
  goOn.terminateOnNaN = false;
  testing::internal::CaptureStderr();
  History history = fit(model.instance, data, nullptr, goOn);
  std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("epoch 1, step 1"), std::string::npos) << said;
  EXPECT_EQ(said.find("epoch 2"), std::string::npos);
  EXPECT_EQ(history.steps, 4);
}

TEST(Fit, LearnsTheLine) {
  Linear model;
  fit(model.instance, linearDataset(500), nullptr, options(20, 32));
  EXPECT_NEAR(model.state().kernel[1], -2, 1e-3);
  EXPECT_NEAR(model.state().bias[0], 0.3, 1e-3);
}

TEST(Predict, GivesOneRowPerSampleWhateverTheBatches) {
  Linear model;
  Dataset data =
      makeDataset(linearData(70), "memory", *findEntry(*linear_model(), "predict"), Part::Test);
  Array whole = predict(model.instance, data, 70)[0], parts = predict(model.instance, data, 32)[0];
  EXPECT_EQ(whole.name, "linear");
  EXPECT_EQ(whole.shape, (std::vector<int64_t>{70, 1}));
  EXPECT_EQ(memcmp(whole.data, parts.data, whole.bytes()), 0);
  auto *x = reinterpret_cast<const float *>(data.columns[0].array.data);
  auto *y = reinterpret_cast<const float *>(parts.data);
  EXPECT_NEAR(y[69], x[207] * 0.1f + x[208] * 0.2f + x[209] * 0.3f, 1e-6);
}

TEST(Shuffle, IsAPermutationThatSeedAndPassDecide) {
  auto order = shuffledOrder(1000, 3, 0);
  EXPECT_EQ(order, shuffledOrder(1000, 3, 0));
  EXPECT_NE(order, shuffledOrder(1000, 3, 1));
  EXPECT_NE(order, shuffledOrder(1000, 4, 0));
  std::sort(order.begin(), order.end());
  std::vector<int64_t> all(1000);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(order, all);
}

TEST(Shuffle, PutsEverySampleEverywhereEquallyOften) {
  // 6000 orders of 4: each sample is expected 1500 times in each place, with a standard deviation
  // of 34; five of those.
  int counts[4][4] = {};
  for (int pass = 0; pass < 6000; ++pass) {
    auto order = shuffledOrder(4, 1, pass);
    for (int place = 0; place < 4; ++place)
      ++counts[place][order[place]];
  }
  for (auto &place : counts)
    for (int count : place)
      EXPECT_NEAR(count, 1500, 170);
}

TEST(Shuffle, UsesPhiloxAsPublished) {
  // The known answers of Random123's test vectors (kat_vectors).
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(philox({0, 0, 0, 0}, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0u, ~0u, ~0u, ~0u}, ~0ull),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}
