// Turns each row of the table into tests, on each executor, and demands that each op has a row.
#include "ir/Dialect.h"
#include "tests/numeric/Checks.h"
#include "tests/numeric/Philox.h"

#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>

using namespace formwork::test;

namespace {

/// What all tests share. Destroyed before main ends, the compiled row before its context.
struct Session {
  std::unique_ptr<mlir::MLIRContext> context = makeContext();
  std::vector<std::unique_ptr<Executor>> executors = makeExecutors();
  std::pair<const Row *, Executor *> key;
  std::unique_ptr<CompiledRow> kept;

  /// `row` compiled for `executor`, kept until another is asked for: tests come row by row.
  CompiledRow &compiled(const Row &row, Executor &executor) {
    if (key != std::pair(&row, &executor)) {
      kept = std::make_unique<CompiledRow>(row, executor, *context);
      key = {&row, &executor};
    }
    return *kept;
  }
};

Session *session = nullptr;

class RowTest : public testing::Test {
public:
  using Check = Findings (CompiledRow::*)();

  RowTest(const Row &row, Executor &executor, Check check)
      : row(row), executor(executor), check(check) {}

  void TestBody() override {
    for (const std::string &finding : (session->compiled(row, executor).*check)())
      ADD_FAILURE() << finding;
  }

private:
  const Row &row;
  Executor &executor;
  Check check;
};

void registerRow(const Row &row, Executor &executor) {
  auto add = [&](const char *name, RowTest::Check check) {
    testing::RegisterTest((executor.name().str() + "/" + row.name).c_str(), name, nullptr, nullptr,
                          __FILE__, __LINE__, [&row, &executor, check]() -> testing::Test * {
                            return new RowTest(row, executor, check);
                          });
  };
  add("agrees_with_the_naive_reference", &CompiledRow::forward);
  if (hasGradient(row)) {
    add("has_the_gradient_that_differences_measure", &CompiledRow::gradient);
    add("has_the_second_order_gradient_that_differences_measure", &CompiledRow::secondOrder);
  }
  if (hasGeneralVersion(row, executor))
    add("gives_the_same_bits_with_unknown_dimensions", &CompiledRow::generalVersion);
}

bool anyRow(llvm::StringRef op, llvm::function_ref<bool(const Row &)> holds) {
  return llvm::any_of(table().rows(), [&](const Row &row) { return row.op() == op && holds(row); });
}

TEST(Table, has_a_row_for_every_op_that_is_computed) {
  for (mlir::RegisteredOperationName op :
       session->context->getRegisteredOperationsByDialect("fw")) {
    bool computed = op.hasInterface<formwork::DecomposableOp>();
    EXPECT_TRUE(!computed || anyRow(op.stripDialect(), [](const Row &) { return true; }))
        << op.getStringRef().str() << " has a decomposition and no row";
  }
}

TEST(Table, has_a_row_with_a_gradient_for_every_op_that_is_differentiable) {
  // Constant in all floating-point operands: a rule that says so, and nothing to measure.
  for (mlir::RegisteredOperationName op : session->context->getRegisteredOperationsByDialect("fw"))
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
  Session only;
  session = &only;
  for (auto &executor : only.executors)
    for (const Row &row : table().rows())
      registerRow(row, *executor);
  return RUN_ALL_TESTS();
}
