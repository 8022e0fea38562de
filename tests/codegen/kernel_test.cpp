// Scheduled kernels against plain loops, over shapes that meet every remainder, static and unknown;
// and the same bits however the chunks are split.
#include "tests/codegen/Cases.h"

using namespace formwork::testing;

namespace {

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
  expectClose(actual, expected, *param.row);

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
      expectClose(actual, expected, row);
    }
}

INSTANTIATE_TEST_SUITE_P(Kernels, KernelTest, ::testing::ValuesIn(allCases()), nameOf);

} // namespace
