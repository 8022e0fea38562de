// Do the checks notice mistakes? Each test plants one in what a stage of the compiler has produced,
// and demands that it is found where it should be; and that nothing is found without it.
#include "passes/Passes.h"
#include "tests/numeric/Checks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace mlir;
using namespace formwork;
using namespace formwork::test;

namespace {

struct PlantedFault : testing::Test {
  using Elements = std::vector<double>;
  using Check = Findings (CompiledRow::*)();

  PlantedFault() : context(makeContext()) {}

  Row row(Shapes shapes, std::string body, std::function<Array(const Arrays &)> reference) {
    Row row;
    row.name = "row";
    row.shapes = {std::move(shapes)};
    row.body(std::move(body)).reference(std::move(reference)).notGeneral();
    return row;
  }

  /// `plant` is run on each op of the module and says whether it changed anything.
  void expectFound(const Row &row, Check check, Fault::Stage stage,
                   std::function<bool(Operation *)> plant) {
    CompiledRow sound(row, *makeReferenceExecutor(), *context);
    EXPECT_EQ((sound.*check)(), Findings());
    int planted = 0;
    Fault fault{
        stage, [&](ModuleOp module) { module.walk([&](Operation *op) { planted += plant(op); }); }};
    auto executor = makeReferenceExecutor(fault);
    CompiledRow faulty(row, *executor, *context);
    ASSERT_TRUE(faulty.compiled()) << "a fault that does not compile is no silent one";
    EXPECT_GT(planted, 0) << "there was nothing to spoil";
    EXPECT_FALSE((faulty.*check)().empty()) << "the fault was not noticed";
  }

  std::unique_ptr<MLIRContext> context;
};

bool inFunction(Operation *op, StringRef prefix) {
  auto function = op->getParentOfType<func::FuncOp>();
  return function && function.getName().starts_with(prefix);
}

/// Whether `op` is a linalg.generic that computes something with an op of type ScalarOp.
template <typename ScalarOp> linalg::GenericOp genericWith(Operation *op) {
  auto generic = dyn_cast<linalg::GenericOp>(op);
  return generic && !generic.getBody()->getOps<ScalarOp>().empty() ? generic : nullptr;
}

bool isSum(Operation *op) {
  auto generic = genericWith<arith::AddFOp>(op);
  return generic && generic.getNumReductionLoops() > 0;
}

//===--- gradients -------------------------------------------------------------------------------

TEST_F(PlantedFault, a_gradient_of_the_wrong_sign_is_noticed) {
  Row tanh = row({{3, 4}}, "%y = fw.tanh %0 : ($0) -> $y", [](const Arrays &x) {
    return elementwise(x, [](const Elements &e) { return std::tanh(e[0]); });
  });
  // 1 - y * y, the other way round.
  expectFound(tanh, &CompiledRow::gradient, Fault::Differentiated, [](Operation *op) {
    if (!isa<SubOp>(op) || !inFunction(op, "slope"))
      return false;
    Value a = op->getOperand(0);
    op->setOperand(0, op->getOperand(1));
    op->setOperand(1, a);
    return true;
  });
}

TEST_F(PlantedFault, a_broadcast_that_is_not_summed_back_is_noticed) {
  Row bias = row({{3, 4}, {4}}, "%y = fw.add %0, %1 : ($0, $1) -> $y", [](const Arrays &x) {
    return elementwise(x, [](const Elements &e) { return e[0] + e[1]; });
  });
  // The last row's gradient instead of the sum of all rows'.
  expectFound(bias, &CompiledRow::gradient, Fault::Decomposed, [](Operation *op) {
    if (!isSum(op) || !inFunction(op, "slope"))
      return false;
    Block *body = cast<linalg::GenericOp>(op).getBody();
    body->getTerminator()->setOperand(0, body->getArgument(0));
    return true;
  });
}

TEST_F(PlantedFault, a_gradient_rule_that_forgets_its_cotangent_is_noticed) {
  Row exp = row({{3, 4}}, "%y = fw.exp %0 : ($0) -> $y", [](const Arrays &x) {
    return elementwise(x, [](const Elements &e) { return std::exp(e[0]); });
  });
  expectFound(exp, &CompiledRow::gradient, Fault::Differentiated, [](Operation *op) {
    if (!isa<MulOp>(op) || !inFunction(op, "slope"))
      return false;
    op->replaceAllUsesWith(ValueRange(op->getOperand(1)));
    return true;
  });
}

TEST_F(PlantedFault, a_second_derivative_that_is_lost_is_noticed) {
  Row square = row({{3, 4}}, "%y = fw.mul %0, %0 : ($0, $0) -> $y", [](const Arrays &x) {
    return elementwise(x, [](const Elements &e) { return e[0] * e[0]; });
  });
  expectFound(square, &CompiledRow::secondOrder, Fault::Differentiated, [](Operation *op) {
    if (!isa<AddOp>(op) || !inFunction(op, "curvature"))
      return false;
    op->replaceAllUsesWith(ValueRange(op->getOperand(0)));
    return true;
  });
}

//===--- forward ---------------------------------------------------------------------------------

TEST_F(PlantedFault, a_reduction_that_begins_with_the_wrong_value_is_noticed) {
  Row max = row({{3, 4}}, "%y = fw.reduce_max %0 axes = [1] : ($0) -> $y", [](const Arrays &x) {
    return reduce(x[0], {1}, false, -INFINITY, [](double a, double b) { return std::max(a, b); });
  });
  max.range(-2, -1);
  // 0, which no element reaches.
  expectFound(max, &CompiledRow::forward, Fault::Decomposed, [](Operation *op) {
    auto fill = dyn_cast<linalg::FillOp>(op);
    if (!fill || !inFunction(op, "forward"))
      return false;
    OpBuilder builder(op);
    op->setOperand(0, arith::ConstantOp::create(builder, op->getLoc(), builder.getF64FloatAttr(0)));
    return true;
  });
}

const char *dense = R"(%xw = fw.dot_general %0, %1 contract [1] x [0] batch [] x [] : ($0, $1) -> $y
  %z = fw.add %xw, %2 : ($y, $2) -> $y
  %y = fw.relu %z : ($y) -> $y)";

Array denseReference(const Arrays &x) {
  return elementwise({matrixProduct(x[0], x[1]), x[2]},
                     [](const std::vector<double> &e) { return std::max(0.0, e[0] + e[1]); });
}

TEST_F(PlantedFault, a_transposed_operand_of_a_contraction_is_noticed) {
  Row layer = row({{3, 4}, {4, 4}, {4}}, dense, denseReference);
  expectFound(layer, &CompiledRow::forward, Fault::Decomposed, [](Operation *op) {
    auto generic = genericWith<arith::MulFOp>(op);
    if (!generic || generic.getNumReductionLoops() == 0 || !inFunction(op, "forward"))
      return false;
    SmallVector<AffineMap> maps = generic.getIndexingMapsArray();
    maps[1] = AffineMap::get(maps[1].getNumDims(), 0, {maps[1].getResult(1), maps[1].getResult(0)},
                             op->getContext());
    generic.setIndexingMapsAttr(Builder(op).getAffineMapArrayAttr(maps));
    return true;
  });
}

TEST_F(PlantedFault, a_dropped_epilogue_is_noticed) {
  Row layer = row({{3, 4}, {4, 4}, {4}}, dense, denseReference);
  expectFound(layer, &CompiledRow::forward, Fault::Decomposed, [](Operation *op) {
    auto relu = genericWith<arith::MaximumFOp>(op);
    if (!relu || !inFunction(op, "forward"))
      return false;
    op->replaceAllUsesWith(ValueRange(relu.getInputs().front()));
    return true;
  });
}

TEST_F(PlantedFault, a_slice_that_begins_one_too_late_is_noticed) {
  Row slice = row({{7}}, "%y = fw.slice %0 start [1] limit [5] strides [2] : ($0) -> $y",
                  [](const Arrays &x) {
                    Array y({2});
                    y.values = {x[0].values[1], x[0].values[3]};
                    return y;
                  });
  expectFound(slice, &CompiledRow::forward, Fault::Differentiated, [](Operation *op) {
    auto slice = dyn_cast<SliceOp>(op);
    if (!slice)
      return false;
    int64_t start = slice.getStart()[0] + 1, limit = slice.getLimit()[0] + 1;
    slice.setStart(ArrayRef<int64_t>(start));
    slice.setLimit(ArrayRef<int64_t>(limit));
    return true;
  });
}

TEST_F(PlantedFault, a_dropout_that_forgets_its_scale_is_noticed) {
  // What is kept is four times x at rate 3/4: either the output or its distance from 4 x is zero.
  Row dropout = row({{32, 4}, {2}},
                    R"(%d = fw.dropout %0, %1 {rate = 0.75 : f64, stream = 0 : i64} : ($0, $1) -> $0
  %four = fw.constant dense<4.0> : tensor<f64>
  %scaled = fw.mul %0, %four : ($0, tensor<f64>) -> $0
  %off = fw.sub %d, %scaled : ($0, $0) -> $0
  %y = fw.mul %d, %off : ($0, $0) -> $y)",
                    [](const Arrays &x) { return Array(x[0].shape); });
  dropout.operand(1, {"i64", 0, 1000});
  expectFound(dropout, &CompiledRow::forward, Fault::Decomposed, [](Operation *op) {
    // x * 1 / (1 - rate) is the one product that is selected from.
    auto product = dyn_cast<linalg::GenericOp>(op);
    if (!product || !inFunction(op, "forward") || genericWith<arith::MulFOp>(op) == nullptr ||
        llvm::none_of(op->getUsers(), [](Operation *user) {
          return genericWith<arith::SelectOp>(user) != nullptr;
        }))
      return false;
    op->replaceAllUsesWith(ValueRange(product.getInputs().front()));
    return true;
  });
}

TEST_F(PlantedFault, a_loop_that_keeps_its_first_carry_is_noticed) {
  Row scan =
      row({{3}, {4, 3}}, R"(%y = fw.scan carry(%0) over(%1) capture() : ($0, $1) -> $y {
    ^bb0(%h: $0, %x: $0):
      %next = fw.mul %h, %x : ($0, $0) -> $0
      fw.yield %next : $0
    })",
          [](const Arrays &x) {
            Array h = x[0];
            for (int64_t t = 0; t < 4; ++t)
              h = elementwise({h, stepOf(x[1], t)}, [](const Elements &e) { return e[0] * e[1]; });
            return h;
          });
  expectFound(scan, &CompiledRow::forward, Fault::Differentiated, [](Operation *op) {
    if (!isa<YieldOp>(op) || !inFunction(op, "forward"))
      return false;
    op->setOperand(0, op->getBlock()->getArgument(0));
    return true;
  });
}

//===--- state -----------------------------------------------------------------------------------

/// One step of SGD with momentum: v = 0.9 v + g; w = w - v.
const char *momentumStep = R"(
fw.variable @w : tensor<3xf64> trainable
fw.variable @v : tensor<3xf64> slot_of @w
func.func @step(%g: tensor<3xf64>) {
  %v = fw.read @v : tensor<3xf64>
  %momentum = fw.constant dense<0.9> : tensor<f64>
  %kept = fw.mul %v, %momentum : (tensor<3xf64>, tensor<f64>) -> tensor<3xf64>
  %next = fw.add %kept, %g : (tensor<3xf64>, tensor<3xf64>) -> tensor<3xf64>
  fw.assign @v, %next : tensor<3xf64>
  %now = fw.read @v : tensor<3xf64>
  %w = fw.read @w : tensor<3xf64>
  %less = fw.sub %w, %now : (tensor<3xf64>, tensor<3xf64>) -> tensor<3xf64>
  fw.assign @w, %less : tensor<3xf64>
  return
}
)";

/// The largest difference from what three steps should make of the variables.
double momentumError(MLIRContext &context, std::optional<Fault> fault) {
  auto module = parseSourceString<ModuleOp>(momentumStep, &context);
  auto program = makeReferenceExecutor(std::move(fault))->compile(*module);
  Array gradient({3}), slot({3}), weight({3});
  gradient.values = {1, 2, 3}, slot.values = {0.5, 0, -0.5}, weight.values = {1, 1, 1};
  Array v = slot, w = weight;
  std::vector<Array> state = {gradient, slot, weight}, results;
  double worst = 0;
  for (int step = 0; step < 3; ++step) {
    program->call("step", state, results);
    for (int64_t i = 0; i < 3; ++i) {
      v.values[i] = 0.9 * v.values[i] + gradient.values[i];
      w.values[i] -= v.values[i];
      worst = std::max({worst, std::abs(state[1].values[i] - v.values[i]),
                        std::abs(state[2].values[i] - w.values[i])});
    }
  }
  return worst;
}

struct PlantedStateFault : PlantedFault {
  void SetUp() override { EXPECT_LT(momentumError(*context, std::nullopt), 1e-15); }

  /// The argument that holds a variable before the step.
  static Value before(Operation *op, StringRef variable) {
    auto function = op->getParentOfType<func::FuncOp>();
    for (BlockArgument argument : function.getArguments())
      if (auto name =
              function.getArgAttrOfType<FlatSymbolRefAttr>(argument.getArgNumber(), "fw.variable"))
        if (name.getValue() == variable)
          return argument;
    return {};
  }
};

TEST_F(PlantedStateFault, a_stale_read_of_a_variable_is_noticed) {
  Fault fault{Fault::Differentiated, [](ModuleOp module) {
                module.walk([](SubOp update) { update->setOperand(1, before(update, "v")); });
              }};
  EXPECT_GT(momentumError(*context, fault), 0.1);
}

TEST_F(PlantedStateFault, a_slot_that_is_not_updated_is_noticed) {
  Fault fault{Fault::Differentiated, [](ModuleOp module) {
                module.walk([](func::ReturnOp end) { end->setOperand(0, before(end, "v")); });
              }};
  EXPECT_GT(momentumError(*context, fault), 0.1);
}

//===--- memory ----------------------------------------------------------------------------------

/// Three layers, whose intermediate values are all needed at the end.
const char *residual = R"(
func.func @f(%x: tensor<8x8xf32>, %w: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %a = fw.dot_general %x, %w contract [1] x [0] batch [] x [] : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %b = fw.dot_general %a, %w contract [1] x [0] batch [] x [] : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %c = fw.dot_general %b, %a contract [1] x [0] batch [] x [] : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  %d = fw.dot_general %c, %b contract [1] x [0] batch [] x [] : (tensor<8x8xf32>, tensor<8x8xf32>) -> tensor<8x8xf32>
  return %d : tensor<8x8xf32>
}
)";

LogicalResult checkPlan(ModuleOp module) {
  PassManager check(module.getContext());
  check.addPass(createCheckPlan());
  return check.run(module);
}

TEST_F(PlantedFault, an_overlapping_buffer_is_noticed) {
  auto module = parseSourceString<ModuleOp>(residual, context.get());
  PassManager plan(context.get());
  buildKernelsPipeline(plan);
  buildPlanPipeline(plan);
  ASSERT_TRUE(succeeded(plan.run(*module)));
  ASSERT_TRUE(succeeded(checkPlan(*module)));
  SmallVector<memref::ViewOp> buffers;
  module->walk([&](memref::ViewOp view) { buffers.push_back(view); });
  ASSERT_GE(buffers.size(), 2u);
  for (memref::ViewOp buffer : buffers)
    buffer.getByteShiftMutable().assign(buffers.front().getByteShift());
  ScopedDiagnosticHandler quiet(context.get(), [](Diagnostic &) { return success(); });
  EXPECT_TRUE(failed(checkPlan(*module)));
}

} // namespace

int main(int argc, char **argv) {
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
