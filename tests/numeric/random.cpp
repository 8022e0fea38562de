// Rows of Random.cpp. The reference is written from the definition, on plain integers.
#include "tests/numeric/Philox.h"
#include "tests/numeric/Table.h"

#include <cmath>

namespace formwork::test {

std::array<uint32_t, 4> philox(std::array<uint32_t, 4> x, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    uint64_t a = uint64_t(0xD2511F53) * x[0], b = uint64_t(0xCD9E8D57) * x[2];
    x = {uint32_t(b >> 32) ^ x[1] ^ key[0], uint32_t(b), uint32_t(a >> 32) ^ x[3] ^ key[1],
         uint32_t(a)};
    key = {key[0] + 0x9E3779B9, key[1] + 0xBB67AE85};
  }
  return x;
}

/// The word of element e, and the one that follows it in f64.
static std::pair<uint32_t, uint32_t> wordsOf(uint64_t e, const Array &rng, uint32_t stream) {
  uint64_t seed = rng.values[0], counter = rng.values[1];
  uint64_t block = (e >> 6) * 16 + (e & 15), word = (e >> 4) & 3;
  auto words = philox({uint32_t(block), uint32_t(counter), stream,
                       uint32_t(counter >> 32) ^ uint32_t(block >> 32 << 16)},
                      {uint32_t(seed), uint32_t(seed >> 32)});
  return {words[word], words[(word + 2) & 3]};
}

static double uniformDouble(uint64_t e, const Array &rng, uint32_t stream) {
  auto [high, low] = wordsOf(e, rng, stream);
  return std::ldexp(double(((uint64_t(high) << 32) | low) >> 11), -53);
}

/// The z for which the normal distribution's integral is p, by bisection.
static double normalQuantile(double p) {
  double low = -9, high = 9;
  for (int i = 0; i < 200; ++i) {
    double middle = (low + high) / 2;
    // Of the smaller tail, since 1 - p loses what matters.
    bool below = p < 0.5 ? std::erfc(-middle * std::sqrt(0.5)) / 2 < p
                         : std::erfc(middle * std::sqrt(0.5)) / 2 > 1 - p;
    (below ? low : high) = middle;
  }
  return low;
}

/// [seed, counter] beside the shapes of elementwise ops; one with more than a block of 64.
static std::vector<Shapes> shapesWithRng() {
  std::vector<Shapes> all = unaryShapes();
  all.push_back({{3, 5, 13}});
  for (Shapes &shapes : all)
    shapes.push_back({2});
  return all;
}

/// Both words of seed and counter at work.
static Operand rngOperand() { return {"i64", 0, 4e15}; }

/// y = x * number(e), so that the example has a gradient.
static void addDistribution(Table &table, const std::string &op, uint32_t stream,
                            double (*number)(uint64_t, const Array &, uint32_t)) {
  table.row(op, shapesWithRng())
      .operand(0, {})
      .operand(1, rngOperand())
      .body("%n = fw." + op + " %1, %0 {stream = " + std::to_string(stream) +
            " : i64} : ($1, $0) -> $0\n  %y = fw.mul %n, %0 : ($0, $0) -> $y")
      .reference([=](const Arrays &x) {
        Array y = x[0];
        for (int64_t e = 0; e < y.size(); ++e)
          y.values[e] *= number(e, x[1], stream);
        return y;
      });
}

void addRandomRows(Table &table) {
  addDistribution(table, "random_uniform", 0, uniformDouble);
  addDistribution(table, "random_normal", 5, [](uint64_t e, const Array &rng, uint32_t stream) {
    return normalQuantile(uniformDouble(e, rng, stream) + std::ldexp(1.0, -54));
  });
  addDistribution(table, "random_truncated_normal", 70000,
                  [](uint64_t e, const Array &rng, uint32_t stream) {
                    double q = uniformDouble(e, rng, stream) + std::ldexp(1.0, -54) - 0.5;
                    return normalQuantile(0.5 + q * std::erf(std::sqrt(2.0)));
                  });

  table.row("random_uniform/f32", shapesWithRng())
      .operand(0, {"f32", -1, 1})
      .operand(1, rngOperand())
      .body("%y = fw.random_uniform %1, %0 {stream = 1 : i64} : ($1, $0) -> $y")
      .reference([](const Arrays &x) {
        Array y(x[0].shape, "f32");
        for (int64_t e = 0; e < y.size(); ++e)
          y.values[e] = std::ldexp(double(wordsOf(e, x[1], 1).first >> 8), -24);
        return y;
      })
      .noGradient();

  table.row("dropout", shapesWithRng())
      .operand(0, {})
      .operand(1, rngOperand())
      .body("%y = fw.dropout %0, %1 {rate = 0.3 : f64, stream = 9 : i64} : ($0, $1) -> $y")
      .reference([](const Arrays &x) {
        Array y = x[0];
        for (int64_t e = 0; e < y.size(); ++e)
          y.values[e] = uniformDouble(e, x[1], 9) >= 0.3 ? y.values[e] / 0.7 : 0;
        return y;
      });
}

} // namespace formwork::test
