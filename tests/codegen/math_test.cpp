// The arithmetic that stands for exp, log and the like, in ulps against the C library: f32 against
// doubles, f64 against long doubles.
//
// FORMWORK_ALL_FLOATS=1 takes every one of the 2^32 floats, minutes per function; otherwise every
// 4099th, and all that matter near borders.
#include "tests/codegen/Harness.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <optional>
#include <random>

using namespace formwork::testing;

namespace {

struct Function {
  const char *name; // of the op
  long double (*reference)(long double);
  double ulps32, ulps64;
  double low = -INFINITY, high = INFINITY; // where the error is bounded
};

const Function functions[] = {
    {"exp", [](long double x) { return expl(x); }, 1.1, 1.5},
    {"exp_beside_one", [](long double x) { return 1 + expl(x); }, 1.6, 2},
    {"expm1", [](long double x) { return expm1l(x); }, 2, 2.5},
    {"log", [](long double x) { return logl(x); }, 1.1, 1.5},
    {"log1p", [](long double x) { return log1pl(x); }, 2, 2.5},
    {"tanh", [](long double x) { return tanhl(x); }, 2.5, 3.5},
    {"erf", [](long double x) { return erfl(x); }, 2, 3},
    {"sin", [](long double x) { return sinl(x); }, 1, 2, -1e6, 1e6},
    {"cos", [](long double x) { return cosl(x); }, 1, 2, -1e6, 1e6},
};

/// What computes %r from %a.
std::string bodyOf(const std::string &op, const std::string &type) {
  if (op != "exp_beside_one")
    return "      %r = math." + op + " %a : " + type + "\n";
  return "      %one = arith.constant 1.0 : " + type + "\n      %e = math.exp %a : " + type +
         "\n      %r = arith.addf %e, %one : " + type + "\n";
}

std::string kernelOf(const std::string &op, bool isDouble) {
  std::string type = isDouble ? "f64" : "f32", tensor = "tensor<{N}x" + type + ">";
  return "func.func private @k(%x: " + tensor + ", %out: " + tensor + ") -> " + tensor + R"( {
  %0 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
                       iterator_types = ["parallel"]}
      ins(%x : )" +
         tensor + ") outs(%out : " + tensor + R"() {
    ^bb0(%a: )" +
         type + ", %o: " + type + "):\n" + bodyOf(op, type) + "      linalg.yield %r : " + type +
         "\n  } -> " + tensor + "\n  return %0 : " + tensor + "\n}\n";
}

/// The distance in units of the last place of the result's type; what would be denormal may be
/// zero.
double ulps(double actual, long double expected, bool isDouble) {
  double smallest = isDouble ? 0x1p-1022 : 0x1p-126;
  double largest = isDouble ? 0x1.fffffffffffffp1023 : 0x1.fffffep127;
  if (std::isnan(actual) || std::isnan(expected))
    return std::isnan(actual) == std::isnan(expected) ? 0 : INFINITY;
  if (fabsl(expected) < smallest && std::fabs(actual) <= smallest)
    return 0;
  int exponent;
  frexpl(fabsl(expected), &exponent);
  long double unit = ldexpl(1, std::max(exponent - (isDouble ? 53 : 24), isDouble ? -1074 : -149));
  if (std::isinf(actual)) // rounding up past the largest
    return fabsl(expected) > largest - unit * 0.6L ? 0 : INFINITY;
  return fabsl(actual - expected) / unit;
}

bool isDenormal(double x, bool isDouble) {
  return x != 0 && std::fabs(x) < (isDouble ? 0x1p-1022 : 0x1p-126);
}

class MathTest : public ::testing::TestWithParam<Function> {
protected:
  static constexpr int64_t batch = 1 << 16;

  /// The largest error over the arguments that `next` gives, until it gives none.
  template <typename Next> double largestError(bool isDouble, Next next, double &where) {
    const Function &function = GetParam();
    auto compiled = Compiled::scheduled(kernelOf(function.name, isDouble), {{"N", batch}});
    std::vector<Array> arrays = compiled->arguments();
    double worst = 0;
    for (bool more = true; more;) {
      for (int64_t i = 0; i < batch; ++i) {
        double x = 1;
        more = more && next(x);
        arrays[0].set(i, x);
      }
      compiled->run(arrays);
      for (int64_t i = 0; i < batch; ++i) {
        double x = arrays[0].at(i);
        if (isDenormal(x, isDouble))
          continue;
        if (x > -INFINITY && x < INFINITY && (x < function.low || x > function.high))
          continue;
        double error = ulps(arrays[1].at(i), function.reference(x), isDouble);
        if (error > worst)
          worst = error, where = x;
      }
    }
    return worst;
  }
};

TEST_P(MathTest, FloatsAreWithinTheBound) {
  uint64_t step = getenv("FORMWORK_ALL_FLOATS") ? 1 : 4099, at = 0;
  double where = 0;
  double worst = largestError(
      false,
      [&](double &x) {
        x = std::bit_cast<float>(uint32_t(at));
        at += step;
        return at < (uint64_t(1) << 32);
      },
      where);
  std::cout << GetParam().name << " f32: " << worst << " ulp at " << where << "\n";
  EXPECT_LE(worst, GetParam().ulps32) << "at " << where;
}

TEST_P(MathTest, DoublesAreWithinTheBound) {
  std::mt19937_64 random(5);
  int64_t left = 400000;
  double where = 0;
  double worst = largestError(
      true,
      [&](double &x) {
        // All magnitudes, but mostly those where something happens.
        if (left % 4 == 0)
          x = std::bit_cast<double>(random());
        else
          x = std::ldexp(double(random()) / 0x1p63 - 1, int(random() % 24) - 12);
        return --left > 0;
      },
      where);
  std::cout << GetParam().name << " f64: " << worst << " ulp at " << where << "\n";
  EXPECT_LE(worst, GetParam().ulps64) << "at " << where;
}

TEST_P(MathTest, SpecialValuesAreExact) {
  for (bool isDouble : {false, true}) {
    auto compiled = Compiled::scheduled(kernelOf(GetParam().name, isDouble), {{"N", 8}});
    std::vector<Array> arrays = compiled->arguments();
    const double special[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, -1, 1, -2};
    for (int i = 0; i < 8; ++i)
      arrays[0].set(i, special[i]);
    compiled->run(arrays);
    for (int i = 0; i < 8; ++i) {
      double actual = arrays[1].at(i);
      long double expected = GetParam().reference(special[i]);
      if (std::isnan(expected) || std::isinf(expected) || expected == 0) {
        EXPECT_EQ(std::isnan(actual), std::isnan(expected)) << special[i];
        if (!std::isnan(expected)) {
          EXPECT_EQ(actual, expected) << special[i];
          EXPECT_EQ(std::signbit(actual), std::signbit(expected)) << special[i];
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Math, MathTest, ::testing::ValuesIn(functions),
                         [](const auto &info) { return std::string(info.param.name); });

using Pairs = std::vector<std::pair<double, double>>;

/// An op on elements of two tensors, or of one and a constant.
std::string kernelOfTwo(const std::string &op, bool isDouble, std::optional<double> constant = {}) {
  std::string type = isDouble ? "f64" : "f32", tensor = "tensor<{N}x" + type + ">";
  std::string second = "%b", definition;
  if (constant) {
    second = "%c";
    definition = "      %c = arith.constant " + std::to_string(*constant) + " : " + type + "\n";
  }
  return "func.func private @k(%x: " + tensor + ", %y: " + tensor + ", %out: " + tensor + ") -> " +
         tensor + R"( {
  %0 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>,
                                        affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x, %y : )" +
         tensor + ", " + tensor + ") outs(%out : " + tensor + R"() {
    ^bb0(%a: )" +
         type + ", %b: " + type + ", %o: " + type + "):\n" + definition + "      %r = " + op +
         " %a, " + second + " : " + type + "\n      linalg.yield %r : " + type + "\n  } -> " +
         tensor + "\n  return %0 : " + tensor + "\n}\n";
}

/// The kernel's arguments after it ran on these: first operands, second operands, results.
std::vector<Array> compute(const std::string &kernel, const Pairs &pairs) {
  auto compiled = Compiled::scheduled(kernel, {{"N", int64_t(pairs.size())}});
  std::vector<Array> arrays = compiled->arguments();
  for (size_t i = 0; i < pairs.size(); ++i)
    arrays[0].set(i, pairs[i].first), arrays[1].set(i, pairs[i].second);
  compiled->run(arrays);
  return arrays;
}

/// x / (sqrt(y) + 1e-7), the step of an optimizer, which is a product with a reciprocal.
std::string quotientByRoot() {
  const std::string tensor = "tensor<{N}xf32>", map = "affine_map<(i) -> (i)>";
  return "func.func private @k(%x: " + tensor + ", %y: " + tensor + ", %out: " + tensor + ") -> " +
         tensor + " {\n  %0 = linalg.generic {indexing_maps = [" + map + ", " + map + ", " + map +
         R"(], iterator_types = ["parallel"]} ins(%x, %y : )" + tensor + ", " + tensor +
         ") outs(%out : " + tensor + R"() {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %epsilon = arith.constant 1.0e-7 : f32
      %root = math.sqrt %b : f32
      %divisor = arith.addf %root, %epsilon : f32
      %r = arith.divf %a, %divisor : f32
      linalg.yield %r : f32
  } -> )" +
         tensor + "\n  return %0 : " + tensor + "\n}\n";
}

// The reciprocal is off by 1.13 * 2^-24 of itself at most, which is as many units of a quotient
// just below a power of two; the product's rounding adds half of one.
TEST(DivisionByRoot, IsWithinTheBound) {
  const std::vector<double> special = {0.0,     -0.0,     1,         -1, 0x1p-126,
                                       0x1p127, INFINITY, -INFINITY, NAN};
  std::mt19937 random(11);
  std::uniform_real_distribution<double> exponents(-126, 127);
  Pairs pairs;
  for (double x : special)
    for (double y : special)
      pairs.push_back({x, y});
  for (int i = 0; i < 200000; ++i)
    pairs.push_back(
        {std::exp2(exponents(random)) * (i % 2 ? 1 : -1), std::exp2(exponents(random))});
  std::vector<Array> arrays = compute(quotientByRoot(), pairs);
  double worst = 0;
  for (size_t i = 0; i < pairs.size(); ++i) {
    double x = arrays[0].at(i), y = arrays[1].at(i), actual = arrays[2].at(i);
    float divisor = std::sqrt(float(y)) + 1e-7f;
    double error = ulps(actual, (long double)x / divisor, false);
    worst = std::max(worst, error);
    EXPECT_LE(error, 1.63) << x << " / (sqrt " << y << " + 1e-7) = " << actual;
  }
  std::cout << "x / (sqrt(y) + 1e-7): " << worst << " ulp\n";
}

/// pow over bases and exponents, whole and not, of either sign.
void checkPower(bool isDouble, double bound) {
  const std::vector<double> special = {0.0, -0.0,  1,    -1,       2,         -2,    3,
                                       -3,  0.5,   -0.5, 1.5,      1e10,      -1e10, 1e-10,
                                       0.9, 0.999, 7,    INFINITY, -INFINITY, NAN};
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  Pairs pairs;
  for (double x : special)
    for (double y : special)
      pairs.push_back({x, y});
  for (int i = 0; i < 20000; ++i)
    pairs.push_back({std::exp(4 * normal(random)), 10 * normal(random)});
  for (int i = 0; i < 2000; ++i)
    pairs.push_back({-std::exp(normal(random)), double(int(random() % 41) - 20)});
  for (int i = 0; i < 1000; ++i)
    pairs.push_back({i % 2 ? 0.9 : 0.999, double(i)});

  std::vector<Array> arrays = compute(kernelOfTwo("math.powf", isDouble), pairs);
  for (size_t i = 0; i < pairs.size(); ++i) {
    double x = arrays[0].at(i), y = arrays[1].at(i), actual = arrays[2].at(i);
    EXPECT_LE(ulps(actual, powl(x, y), isDouble), bound) << x << " ^ " << y << " = " << actual;
  }
}

TEST(Power, FloatsAreWithinTheBound) { checkPower(false, 0.6); }
TEST(Power, DoublesAreWithinTheBound) { checkPower(true, 2); }

/// The larger or smaller of each pair; not a number if one of them is none. Zeros are equal.
void checkExtremum(bool isDouble, bool isMaximum, std::optional<double> constant) {
  Pairs pairs;
  for (double a : {0.0, -0.0, 1.5, -1.5, double(INFINITY), -double(INFINITY), double(NAN)})
    for (double b : {0.0, -0.0, 1.5, -1.5, double(INFINITY), -double(INFINITY), double(NAN)})
      pairs.push_back({a, constant.value_or(b)});
  std::string op = isMaximum ? "arith.maximumf" : "arith.minimumf";
  std::vector<Array> arrays = compute(kernelOfTwo(op, isDouble, constant), pairs);
  for (size_t i = 0; i < pairs.size(); ++i) {
    auto [a, b] = pairs[i];
    double actual = arrays[2].at(i);
    if (std::isnan(a) || std::isnan(b))
      EXPECT_TRUE(std::isnan(actual)) << op << " " << a << ", " << b << " = " << actual;
    else
      EXPECT_EQ(actual, isMaximum ? std::max(a, b) : std::min(a, b)) << op << " " << a << ", " << b;
  }
}

TEST(Extremum, IsNoNumberIfOneOperandIsNone) {
  for (bool isDouble : {false, true})
    for (bool isMaximum : {false, true}) {
      checkExtremum(isDouble, isMaximum, {});
      checkExtremum(isDouble, isMaximum, 0.0);
      checkExtremum(isDouble, isMaximum, -1.5);
    }
}

} // namespace
