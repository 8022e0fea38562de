// Signatures as users write them, and what they say about a model's symbols.
#include "tools/Signature.h"

#include "tools/Diagnostics.h"

#include "mlir/Parser/Parser.h"

#include "gtest/gtest.h"

using namespace formwork;

namespace {

//===--- reading ---------------------------------------------------------------------------------

std::string problemWith(llvm::StringRef text) {
  std::string problem;
  return parseSignature(text, problem) ? "none" : problem;
}

TEST(ParseSignature, ReadsNamesTypesAndSizes) {
  std::string problem;
  auto inputs = parseSignature("x:f32[32,784]", problem);
  ASSERT_TRUE(inputs) << problem;
  ASSERT_EQ(inputs->size(), 1u);
  EXPECT_EQ(inputs->front().name, "x");
  EXPECT_EQ(inputs->front().dtype, "f32");
  EXPECT_EQ(llvm::ArrayRef(inputs->front().shape), llvm::ArrayRef<int64_t>({32, 784}));
}

TEST(ParseSignature, ReadsSeveralInputs) {
  std::string problem;
  for (const char *text : {"a:f32[4,2] b:i64[4]", "a:f32[4, 2]; b:i64[4]"}) {
    auto inputs = parseSignature(text, problem);
    ASSERT_TRUE(inputs) << problem;
    ASSERT_EQ(inputs->size(), 2u);
    EXPECT_EQ((*inputs)[1].name, "b");
  }
}

TEST(ParseSignature, ReadsScalarsAndNamesWithColons) {
  std::string problem;
  auto inputs = parseSignature("in:0:f64[]", problem);
  ASSERT_TRUE(inputs) << problem;
  EXPECT_EQ(inputs->front().name, "in:0");
  EXPECT_TRUE(inputs->front().shape.empty());
}

TEST(ParseSignature, SaysWhatIsWrong) {
  const std::pair<const char *, const char *> cases[] = {
      {"", "names at least one input"},
      {"x", "has no NAME before a colon"},
      {":f32[1]", "has no NAME before a colon"},
      {"x:float32[1]", "has 'float32' where f32"},
      {"x:f32", "has no sizes in brackets"},
      {"x:f32[1", "has no sizes in brackets"},
      {"x:f32[1,]", "has '' where a size belongs"},
      {"x:f32[0]", "has '0' where a size belongs"},
      {"x:f32[-1]", "has '-1' where a size belongs"},
      {"x:f32[99999999999999999999]", "where a size belongs"},
      {"x:f32[1] y", "'y' has no NAME"}};
  for (auto [text, problem] : cases)
    EXPECT_NE(problemWith(text).find(problem), std::string::npos)
        << text << ": " << problemWith(text);
}

//===--- solving ---------------------------------------------------------------------------------

/// Two inputs that share the batch; `tokens` has a length of its own.
class SolveSignature : public testing::Test {
protected:
  SolveSignature() {
    context.loadDialect<mlir::func::FuncDialect>();
    module = mlir::parseSourceString<mlir::ModuleOp>(R"mlir(
      func.func private @predict(
          tensor<?x4xf32> {fw.name = "x", fw.symbols = array<i64: 0, -1>},
          tensor<?x?xi64> {fw.name = "tokens", fw.symbols = array<i64: 0, 1>})
    )mlir",
                                                     &context);
  }

  std::optional<llvm::SmallVector<int64_t>> solve(llvm::StringRef text) {
    std::string problem;
    auto signature = parseSignature(text, problem);
    EXPECT_TRUE(signature) << problem;
    said.clear();
    llvm::raw_string_ostream stream(said);
    DiagnosticPrinter printer(context, "model", stream);
    auto predict = module->lookupSymbol<mlir::func::FuncOp>("predict");
    auto sizes = solveSignature(predict, 2, *signature);
    if (failed(sizes))
      return std::nullopt;
    return *sizes;
  }

  void expectError(llvm::StringRef text, const char *problem) {
    EXPECT_FALSE(solve(text)) << text.str();
    EXPECT_NE(said.find(problem), std::string::npos) << said;
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::string said;
};

TEST_F(SolveSignature, FindsEachSymbol) {
  auto sizes = solve("tokens:i64[8,20] x:f32[8,4]");
  ASSERT_TRUE(sizes);
  EXPECT_EQ(llvm::ArrayRef(*sizes), llvm::ArrayRef<int64_t>({8, 20}));
}

TEST_F(SolveSignature, LeavesOutInputsWhoseSizesAreKnownFromOthers) {
  EXPECT_TRUE(solve("tokens:i64[8,20]"));
}

TEST_F(SolveSignature, NamesWhatConflicts) {
  expectError("z:f32[8,4]",
              "the model has no input 'z'; its inputs are x:f32[?,4], tokens:i64[?,?]");
  expectError("x:f64[8,4]", "'x' is x:f32[?,4] in the model, not f64 of rank 2");
  expectError("x:f32[8]", "'x' is x:f32[?,4] in the model, not f32 of rank 1");
  expectError("x:f32[8,5]", "dimension 1 of 'x' is 4 in the model, not 5");
  expectError("x:f32[8,4] tokens:i64[9,20]",
              "dimension 0 of 'tokens' is 9, but the model needs it equal to the 8 given for 'x'");
  expectError("x:f32[8,4]", "nothing says how large dimension 1 of 'tokens' is");
}

TEST(BatchSignature, IsThereIfTheBatchIsTheOnlySymbol) {
  EXPECT_EQ(batchSignature(1, 32)->front(), 32);
  EXPECT_FALSE(batchSignature(0, 32));
  EXPECT_FALSE(batchSignature(2, 32));
  EXPECT_FALSE(batchSignature(1, 0));
}

} // namespace
