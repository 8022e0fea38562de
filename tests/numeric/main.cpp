// Turns each row of the table into tests, on each executor, and demands that each op has a row.
#include "ir/Dialect.h"
#include "tests/numeric/Philox.h"
#include "tests/numeric/RowProcess.h"
#include "tools/Dialects.h"

#include "mlir/IR/MLIRContext.h"

#include <deque>
#include <gtest/gtest.h>
#include <thread>

using namespace formwork::test;

namespace {

/// The rows of which tests were asked for, computed a few at a time ahead of the tests.
class Session {
public:
  explicit Session(size_t jobs) : jobs(jobs) {}

  void add(const Row &row, Executor &executor, std::vector<size_t> wanted) {
    rows.emplace_back(row, executor, std::move(wanted));
  }

  /// What a check of a row found. Keeps as many processes going as there are jobs.
  const Findings &findings(const Row &row, Executor &executor, size_t check) {
    auto here = llvm::find_if(rows, [&](const RowProcess &process) {
      return &process.row == &row && &process.executor == &executor;
    });
    size_t ahead = here - rows.begin();
    for (size_t i = ahead; i < std::min(ahead + jobs, rows.size()); ++i)
      if (!rows[i].started())
        rows[i].start();
    return here->findings(check);
  }

private:
  size_t jobs;
  std::deque<RowProcess> rows;
};

Session *session = nullptr;

class RowTest : public testing::Test {
public:
  RowTest(const Row &row, Executor &executor, size_t check)
      : row(row), executor(executor), check(check) {}

  void TestBody() override {
    for (const std::string &finding : session->findings(row, executor, check))
      ADD_FAILURE() << finding;
  }

private:
  const Row &row;
  Executor &executor;
  size_t check;
};

std::string suiteOf(const Row &row, Executor &executor) {
  return executor.name().str() + "/" + row.name;
}

void registerRow(const Row &row, Executor &executor) {
  for (auto [i, check] : llvm::enumerate(checksOf(row)))
    testing::RegisterTest(
        suiteOf(row, executor).c_str(), check.name, nullptr, nullptr, __FILE__, __LINE__,
        [&row, &executor, i = i]() -> testing::Test * { return new RowTest(row, executor, i); });
}

/// Once it is known which tests are to run: the session's rows.
class Plan : public testing::Environment {
public:
  explicit Plan(llvm::ArrayRef<std::unique_ptr<Executor>> executors) : executors(executors) {}

  void SetUp() override {
    const testing::UnitTest &all = *testing::UnitTest::GetInstance();
    std::set<std::string> wanted;
    for (int i = 0; i < all.total_test_suite_count(); ++i)
      for (int j = 0; j < all.GetTestSuite(i)->total_test_count(); ++j)
        if (const testing::TestInfo *test = all.GetTestSuite(i)->GetTestInfo(j); test->should_run())
          wanted.insert(std::string(test->test_suite_name()) + "." + test->name());
    for (const auto &executor : executors)
      for (const Row &row : table().rows())
        add(row, *executor, wanted);
  }

private:
  static void add(const Row &row, Executor &executor, const std::set<std::string> &wanted) {
    std::vector<size_t> checks;
    for (auto [i, check] : llvm::enumerate(checksOf(row)))
      if (wanted.count(suiteOf(row, executor) + "." + check.name))
        checks.push_back(i);
    if (!checks.empty())
      session->add(row, executor, checks);
  }

  llvm::ArrayRef<std::unique_ptr<Executor>> executors;
};

bool anyRow(llvm::StringRef op, llvm::function_ref<bool(const Row &)> holds) {
  return llvm::any_of(table().rows(), [&](const Row &row) { return row.op() == op && holds(row); });
}

TEST(Table, has_a_row_for_every_op_that_is_computed) {
  auto context = makeContext();
  for (mlir::RegisteredOperationName op : formwork::fwOps(*context)) {
    bool computed = op.hasInterface<formwork::DecomposableOp>();
    EXPECT_TRUE(!computed || anyRow(op.stripDialect(), [](const Row &) { return true; }))
        << op.getStringRef().str() << " has a decomposition and no row";
  }
}

TEST(Table, has_a_row_with_a_gradient_for_every_op_that_is_differentiable) {
  auto context = makeContext();
  for (mlir::RegisteredOperationName op : formwork::fwOps(*context))
    EXPECT_TRUE(!op.hasInterface<formwork::DifferentiableOp>() ||
                anyRow(op.stripDialect(), hasGradient))
        << op.getStringRef().str() << " has a gradient and no row that checks it";
}

TEST(Table, has_at_least_ten_shapes_in_each_row) {
  for (const Row &row : table().rows())
    EXPECT_GE(std::set<Shapes>(row.shapes.begin(), row.shapes.end()).size(), 10u) << row.name;
}

// The vectors that come with Random123, in kat_vectors.
TEST(Philox, gives_the_known_answers) {
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox({ones, ones, ones, ones}, {ones, ones}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

} // namespace

int main(int argc, char **argv) {
  testing::InitGoogleTest(&argc, argv);
  Session only(std::max(1u, std::thread::hardware_concurrency()));
  session = &only;
#ifdef ON_CUDA
  std::vector<std::unique_ptr<Executor>> executors;
  executors.push_back(makeCudaExecutor());
#else
  std::vector<std::unique_ptr<Executor>> executors = makeExecutors();
#endif
  for (auto &executor : executors)
    for (const Row &row : table().rows())
      registerRow(row, *executor);
  testing::AddGlobalTestEnvironment(new Plan(executors));
  return RUN_ALL_TESTS();
}
