// What @init gives variables: each initializer's distribution, and what it depends on.
//
// Seeds are fixed, so nothing here fails by chance; bounds are six standard deviations of the mean
// and of the variance of as many independent samples.
#include "tests/numeric/TrainedModel.h"

#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>

using namespace formwork::test;
using llvm::formatv;

namespace {

/// A model that is only one variable.
std::string moduleOf(const std::string &type, const std::string &initializer) {
  return formatv(R"(module attributes {{fw.symbols = 1 : i64, fw.floatx = f64} {{
  fw.variable @first : tensor<{0}> trainable {{role = "weight", initializer = {1}}
  fw.variable @second : tensor<{0}> trainable {{role = "weight", initializer = {1}}
  fw.variable @rng : tensor<2xi64> {{role = "rng"}
  func.func @predict(%x: tensor<?xf64> {{fw.name = "x", fw.role = "input", fw.symbols = array<i64: 0>})
      -> (tensor<?xf64> {{fw.name = "y", fw.role = "output", fw.symbols = array<i64: 0>}) {{
    return %x : tensor<?xf64>
  }
})",
                 type, initializer);
}

std::string keras(const std::string &name, const std::string &config = "") {
  return formatv("{{class_name = \"{0}\", config = {{{1}}}", name, config);
}

Arrays initialize(const std::string &type, const std::string &initializer, int64_t seed = 7) {
  TrainedModel model(moduleOf(type, initializer), {"init"});
  model.call("init", {{"seed seed", Array({}, "i64", seed)}});
  return model.variables;
}

struct Distribution {
  double mean, deviation;
  /// No value is farther from the mean.
  double bound;
  /// The fourth standardized moment, on which the variance of the variance depends.
  double kurtosis;
};

Distribution uniform(double low, double high) {
  double middle = (low + high) / 2;
  return {middle, (high - low) / std::sqrt(12), high - middle, 1.8};
}
Distribution normal(double mean, double deviation) { return {mean, deviation, INFINITY, 3}; }
/// Cut off at two deviations of the normal distribution it comes from, which Keras corrects for.
Distribution truncated(double deviation) {
  return {0, deviation, 2 * deviation / 0.87962566103423978, 3};
}

struct Row {
  std::string name, initializer, type;
  Distribution expected;
};

std::vector<Row> rows() {
  auto scaling = [](double scale, const char *mode, const char *distribution) {
    return keras("VarianceScaling",
                 formatv("scale = {0:e} : f64, mode = \"{1}\", distribution = \"{2}\"", scale, mode,
                         distribution));
  };
  auto within = [](double variance) {
    return uniform(-std::sqrt(3 * variance), std::sqrt(3 * variance));
  };
  const char *matrix = "40x60xf64", *kernel = "3x5x8x16xf64";
  double in = 3 * 5 * 8, out = 3 * 5 * 16;
  return {
      {"GlorotUniform", keras("GlorotUniform"), matrix, within(2. / 100)},
      {"GlorotUniformOfConvolution", keras("GlorotUniform"), kernel, within(2 / (in + out))},
      {"GlorotNormal", keras("GlorotNormal"), matrix, truncated(std::sqrt(2. / 100))},
      {"HeUniform", keras("HeUniform"), matrix, within(2. / 40)},
      {"HeNormal", keras("HeNormal"), kernel, truncated(std::sqrt(2 / in))},
      {"LecunUniform", keras("LecunUniform"), matrix, within(1. / 40)},
      {"LecunNormal", keras("lecun_normal"), matrix, truncated(std::sqrt(1. / 40))},
      {"RandomUniform", keras("RandomUniform", "minval = 1.0 : f64, maxval = 3 : i64"), matrix,
       uniform(1, 3)},
      {"RandomNormal", keras("RandomNormal", "mean = 2.0 : f64, stddev = 0.5 : f64"), matrix,
       normal(2, 0.5)},
      // Keras does not correct this one's deviation.
      {"TruncatedNormal", keras("TruncatedNormal", "stddev = 0.5 : f64"), matrix,
       truncated(0.5 * 0.87962566103423978)},
      {"ScalingFanOut", scaling(3, "fan_out", "uniform"), matrix, within(3. / 60)},
      {"ScalingUntruncated", scaling(1, "fan_in", "untruncated_normal"), matrix,
       normal(0, std::sqrt(1. / 40))},
      {"ScalingFanAvg", scaling(2, "fan_avg", "truncated_normal"), matrix,
       truncated(std::sqrt(2. / 50))},
      {"ScalingFanOutOfConvolution", scaling(1, "fan_out", "truncated_normal"), kernel,
       truncated(std::sqrt(1 / out))},
      {"ScalingOverAxes",
       keras("VarianceScaling", "scale = 1.0 : f64, mode = \"fan_in\", distribution = \"uniform\", "
                                "input_axes = [0, -1], output_axes = [1]"),
       "10x20x30xf64", within(1. / 300)},
      {"GlorotOverAxes", keras("GlorotUniform", "input_axes = [1], output_axes = [0]"), "40x60xf64",
       within(2. / 100)},
      {"TruncatedNormalWithMean",
       keras("TruncatedNormal", "mean = 3.0 : f64, stddev = 2.0 : f64"),
       matrix,
       {3, 2 * 0.87962566103423978, 4, 3}},
      {"ScalingFanAvgOfBias", scaling(1, "fan_avg", "uniform"), "1000xf64", within(1. / 1000)},
  };
}

struct Random : testing::TestWithParam<Row> {};

TEST_P(Random, initializer_has_kerass_mean_variance_and_bounds) {
  const Distribution &expected = GetParam().expected;
  Arrays variables = initialize(GetParam().type, GetParam().initializer);
  const std::vector<double> &values = variables.at("first").values;
  double n = values.size(), mean = 0, variance = 0;
  for (double value : values) {
    EXPECT_LE(std::abs(value - expected.mean), expected.bound * (1 + 1e-12));
    mean += value / n;
    variance += (value - expected.mean) * (value - expected.mean) / n;
  }
  double square = expected.deviation * expected.deviation;
  EXPECT_NEAR(mean, expected.mean, 6 * expected.deviation / std::sqrt(n));
  EXPECT_NEAR(variance, square, 6 * square * std::sqrt((expected.kurtosis - 1) / n));
  EXPECT_NE(values, variables.at("second").values) << "two variables drew the same numbers";
}

INSTANTIATE_TEST_SUITE_P(Initializers, Random, testing::ValuesIn(rows()),
                         [](const auto &info) { return info.param.name; });

TEST(Initializers, constants_fill_the_variable) {
  EXPECT_EQ(initialize("2x2xf64", keras("Zeros")).at("first").values, std::vector<double>(4, 0));
  EXPECT_EQ(initialize("4xf64", keras("ones")).at("first").values, std::vector<double>(4, 1));
  EXPECT_EQ(initialize("4xf64", keras("Constant", "value = 2.5 : f64")).at("first").values,
            std::vector<double>(4, 2.5));
}

TEST(Initializers, constant_arrays_are_repeated_as_numpy_does) {
  auto constant = [](const char *type, const char *value) {
    return initialize(type, keras("Constant", value)).at("first").values;
  };
  const char *row = "value = [1.0, 2, -3.5]";
  EXPECT_EQ(constant("3xf64", row), (std::vector<double>{1, 2, -3.5}));
  EXPECT_EQ(constant("2x3xf64", row), (std::vector<double>{1, 2, -3.5, 1, 2, -3.5}));
  EXPECT_EQ(constant("2x2xf64", "value = [[1.0], [2.0]]"), (std::vector<double>{1, 1, 2, 2}));
  EXPECT_EQ(constant("2x2xf64", "value = {class_name = \"__numpy__\", config = {dtype = "
                                "\"float64\", value = [[1.0, 2.0], [3.0, 4.0]]}}"),
            (std::vector<double>{1, 2, 3, 4}));
  EXPECT_EQ(constant("0x3xf64", row), std::vector<double>());
}

TEST(Initializers, identity_may_be_no_square) {
  EXPECT_EQ(initialize("2x3xf64", keras("Identity", "gain = 2.0 : f64")).at("first").values,
            (std::vector<double>{2, 0, 0, 0, 2, 0}));
}

/// The largest difference of the products of rows (or columns) from the unit matrix times gain^2.
double distanceFromOrthogonal(const Array &q, bool byColumns, double gain) {
  int64_t columns = q.shape.back(), rows = q.size() / columns, count = byColumns ? columns : rows;
  auto at = [&](int64_t vector, int64_t i) {
    return byColumns ? q.values[i * columns + vector] : q.values[vector * columns + i];
  };
  double worst = 0;
  for (int64_t a = 0; a < count; ++a)
    for (int64_t b = 0; b < count; ++b) {
      double product = a == b ? -gain * gain : 0;
      for (int64_t i = 0; i < (byColumns ? rows : columns); ++i)
        product += at(a, i) * at(b, i);
      worst = std::max(worst, std::abs(product));
    }
  return worst;
}

TEST(Initializers, orthogonal_has_orthonormal_rows_or_columns) {
  auto made = [](const char *type, const char *config = "") {
    return initialize(type, keras("Orthogonal", config)).at("first");
  };
  EXPECT_LT(distanceFromOrthogonal(made("8x32xf64"), false, 1), 1e-14);
  EXPECT_LT(distanceFromOrthogonal(made("32x8xf64"), true, 1), 1e-14);
  EXPECT_LT(distanceFromOrthogonal(made("16x16xf64", "gain = 3.0 : f64"), true, 3), 1e-13);
  EXPECT_LT(distanceFromOrthogonal(made("3x4x5xf64"), true, 1), 1e-14);
}

TEST(Initializers, parts_of_a_vector_are_initialized_apart) {
  std::string parts = formatv(
      "parts = [{{size = 2 : i64, initializer = {0}}, {{size = 3 : i64, initializer = {1}}]",
      keras("Zeros"), keras("Ones"));
  EXPECT_EQ(initialize("5xf64", keras("Concatenate", parts)).at("first").values,
            (std::vector<double>{0, 0, 1, 1, 1}));
}

TEST(Initializers, equal_parts_draw_numbers_of_their_own) {
  std::string part = "{size = 3 : i64, initializer = " + keras("RandomNormal") + "}";
  auto values = initialize("6xf64", keras("Concatenate", "parts = [" + part + ", " + part + "]"))
                    .at("first")
                    .values;
  EXPECT_NE(std::vector<double>(values.begin(), values.begin() + 3),
            std::vector<double>(values.begin() + 3, values.end()));
}

TEST(Initializers, numbers_depend_on_the_seed_and_on_nothing_else) {
  auto first = [](int64_t seed) { return initialize("9xf64", keras("GlorotUniform"), seed); };
  EXPECT_EQ(first(7).at("first").values, first(7).at("first").values);
  EXPECT_NE(first(7).at("first").values, first(8).at("first").values);
  EXPECT_EQ(first(7).at("rng").values, (std::vector<double>{7, 0}));
}

TEST(Initializers, a_seed_of_the_initializers_own_takes_the_place_of_inits) {
  auto first = [](int64_t seed) {
    return initialize("9xf64", keras("GlorotUniform", "seed = 3 : i64"), seed).at("first").values;
  };
  EXPECT_EQ(first(7), first(8));
}

} // namespace
