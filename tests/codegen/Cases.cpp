#include "tests/codegen/Cases.h"

#include <cmath>
#include <random>

namespace formwork::testing {

std::vector<Case> allCases() {
  std::vector<Case> cases;
  for (const KernelRow &row : kernelRows())
    for (const Sizes &sizes : row.sizes)
      for (bool dynamic : {false, true})
        if (!dynamic || row.mayBeDynamic)
          cases.push_back({&row, sizes, dynamic});
  return cases;
}

std::string nameOf(const ::testing::TestParamInfo<Case> &info) {
  std::string name = info.param.row->name;
  for (const auto &[symbol, size] : info.param.sizes)
    name += "_" + symbol + std::to_string(size);
  return name + (info.param.dynamic ? "_unknown" : "");
}

void fill(std::vector<Array> &arrays, const KernelRow &row) {
  std::mt19937 random(11);
  std::normal_distribution<double> normal;
  for (Array &array : arrays)
    for (int64_t i = 0; i < array.size(); ++i) {
      if (array.element == Element::F32 || array.element == Element::F64)
        array.set(i, row.positive ? std::abs(normal(random)) : normal(random));
      else
        array.set(i, array.element == Element::Bool ? random() % 2 : random() % row.indexLimit);
    }
}

/// Sums of n terms differ by rounding in their order: about sqrt(n) ulps of what is summed.
static void expectClose(const Array &actual, const Array &expected, double tolerance) {
  for (int64_t i = 0; i < expected.size(); ++i) {
    double a = actual.at(i), b = expected.at(i);
    if (std::isnan(a) && std::isnan(b))
      continue;
    if (a == b)
      continue;
    ASSERT_NEAR(a, b, tolerance * (1 + std::abs(b))) << "element " << i;
  }
}

/// Upstream's passes do not take empty buffers: an empty sum is run as one of a single zero.
std::vector<Array> runPlain(const Case &param, const std::vector<Array> &start) {
  Sizes sizes = param.sizes;
  for (auto &[symbol, size] : sizes)
    size = std::max<int64_t>(size, 1);
  auto plain = Compiled::plain(param.row->text, sizes);
  if (!plain)
    return {};
  std::vector<Array> arrays = plain->arguments();
  for (size_t i = 0; i < arrays.size(); ++i)
    if (arrays[i].shape == start[i].shape)
      arrays[i] = start[i];
  plain->run(arrays);
  for (size_t i = 0; i < arrays.size(); ++i)
    if (arrays[i].shape != start[i].shape)
      arrays[i] = start[i];
  return arrays;
}

void expectClose(const std::vector<Array> &actual, const std::vector<Array> &expected,
                 const KernelRow &row) {
  ASSERT_EQ(expected.size(), actual.size());
  for (size_t i = 0; i < actual.size(); ++i)
    expectClose(actual[i], expected[i],
                expected[i].element == Element::F64 ? 1e-12 : row.tolerance);
}

} // namespace formwork::testing
