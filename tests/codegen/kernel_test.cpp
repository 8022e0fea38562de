// Scheduled kernels against plain loops, over shapes that meet every remainder, static and unknown;
// and the same bits however the chunks are split.
#include "tests/codegen/Harness.h"
#include "tests/codegen/Kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

using namespace formwork::testing;

namespace {

struct Case {
  const KernelRow *row;
  Sizes sizes;
  bool dynamic;
};

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
void expectClose(const Array &actual, const Array &expected, double tolerance) {
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

class KernelTest : public ::testing::TestWithParam<Case> {};

TEST_P(KernelTest, ComputesWhatPlainLoopsCompute) {
  const Case &param = GetParam();
  Options options;
  options.dynamic = param.dynamic;
  auto scheduled = Compiled::scheduled(param.row->text, param.sizes, options);
  ASSERT_TRUE(scheduled);
  std::vector<Array> start = scheduled->arguments();
  fill(start, *param.row);
  std::vector<Array> actual = start, expected = start;
  if (start.back().size() != 0)
    expected = runPlain(param, start);
  scheduled->run(actual);
  ASSERT_EQ(expected.size(), actual.size());
  for (size_t i = 0; i < actual.size(); ++i)
    expectClose(actual[i], expected[i],
                expected[i].element == Element::F64 ? 1e-12 : param.row->tolerance);

  // Any split, in any order.
  std::vector<Array> split = start;
  int64_t chunks = scheduled->chunks(split);
  for (int64_t end = chunks; end > 0;) {
    int64_t begin = std::max<int64_t>(0, end - 1 - end % 3);
    scheduled->run(split, begin, end);
    end = begin;
  }
  for (size_t i = 0; i < actual.size(); ++i)
    ASSERT_EQ(actual[i].bytes, split[i].bytes) << "argument " << i;
}

/// Narrower vectors, fewer registers, no fused multiply-add: other tiles, the same values.
TEST(OtherTargets, ComputeWhatPlainLoopsCompute) {
  for (formwork::CPUTarget target : {formwork::CPUTarget::avx2(), formwork::CPUTarget::sse()})
    for (const KernelRow &row : kernelRows()) {
      Case param{&row, row.sizes.front(), false};
      Options options;
      options.target = target;
      auto scheduled = Compiled::scheduled(row.text, param.sizes, options);
      ASSERT_TRUE(scheduled) << row.name;
      std::vector<Array> actual = scheduled->arguments();
      fill(actual, row);
      std::vector<Array> expected = runPlain(param, actual);
      scheduled->run(actual);
      ASSERT_EQ(expected.size(), actual.size());
      for (size_t i = 0; i < actual.size(); ++i)
        expectClose(actual[i], expected[i],
                    expected[i].element == Element::F64 ? 1e-12 : row.tolerance);
    }
}

INSTANTIATE_TEST_SUITE_P(Kernels, KernelTest, ::testing::ValuesIn(allCases()), nameOf);

} // namespace
