// Imports the models of golden/ and compares what @predict and @forward compute, on the unoptimized
// pipeline, with what Keras computed (make_models.py).
//
// In float64 both sides round differently in a few thousand operations on numbers near 1: 1e-12
// would do; 1e-10 leaves room for exp and tanh of another library. In float32 the same reasoning
// gives 1e-5. GOLDEN_MODELS names another folder to run over.
#include "frontend/Json.h"
#include "frontend/Model.h"
#include "ir/Dialect.h"
#include "passes/Passes.h"
#include "tests/numeric/Executor.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <cstring>
#include <gtest/gtest.h>

using namespace mlir;
using namespace formwork;
using formwork::test::Array;

namespace {

std::string folder() {
  const char *given = std::getenv("GOLDEN_MODELS");
  return given ? given : GOLDEN_FOLDER;
}

std::vector<std::string> goldenModels() {
  std::vector<std::string> names;
  std::error_code error;
  for (llvm::sys::fs::directory_iterator file(folder(), error), end; file != end && !error;
       file.increment(error))
    if (llvm::sys::path::extension(file->path()) == ".keras")
      names.push_back(llvm::sys::path::stem(file->path()).str());
  llvm::sort(names);
  return names;
}

Json readJson(const std::string &path) {
  auto file = llvm::MemoryBuffer::getFile(path);
  return std::get<Json>(parseJson((*file)->getBuffer().str()));
}

/// Nested lists as an array.
void flatten(const Json &value, unsigned depth, Array &array) {
  if (const Json::Array *elements = value.array()) {
    if (array.shape.size() <= depth)
      array.shape.push_back(int64_t(elements->size()));
    for (const Json &element : *elements)
      flatten(element, depth + 1, array);
  } else {
    array.values.push_back(*value.real());
  }
}

Array arrayOf(const Json &value, Type element) {
  Array array;
  flatten(value, 0, array);
  llvm::raw_string_ostream(array.element = "") << element;
  return array;
}

template <typename T> void append(const std::vector<char> &bytes, std::vector<double> &values) {
  for (size_t at = 0; at < bytes.size(); at += sizeof(T)) {
    T element;
    std::memcpy(&element, &bytes[at], sizeof(T));
    values.push_back(double(element));
  }
}

Array arrayOf(const Weight &weight) {
  Array array;
  array.shape.assign(weight.type.getShape().begin(), weight.type.getShape().end());
  llvm::raw_string_ostream(array.element = "") << weight.type.getElementType();
  weight.type.getElementType().isF32() ? append<float>(weight.data, array.values)
                                       : append<double>(weight.data, array.values);
  return array;
}

struct Function {
  std::vector<std::string> inputs, outputs, variables;
  std::vector<Type> inputTypes, outputTypes;

  /// Variables come as arguments in the order in which they are met first.
  explicit Function(func::FuncOp function) {
    auto name = [](Attribute attribute) { return cast<StringAttr>(attribute).str(); };
    for (unsigned i = 0; i < function.getNumArguments(); ++i) {
      inputs.push_back(name(function.getArgAttr(i, "fw.name")));
      inputTypes.push_back(getElementTypeOrSelf(function.getArgumentTypes()[i]));
    }
    for (unsigned i = 0; i < function.getNumResults(); ++i) {
      outputs.push_back(name(function.getResultAttr(i, "fw.name")));
      outputTypes.push_back(getElementTypeOrSelf(function.getResultTypes()[i]));
    }
    llvm::SetVector<StringRef> met;
    function.walk([&](ReadOp read) { met.insert(read.getVariable()); });
    variables.assign(met.begin(), met.end());
  }
};

struct GoldenModel : testing::TestWithParam<std::string> {
  std::unique_ptr<MLIRContext> context = test::makeContext();
  Json golden = readJson(folder() + "/" + GetParam() + ".json");
  ImportedModel model;
  std::unique_ptr<test::Program> program;
  std::map<std::string, Array> weights;

  void compile() {
    auto imported = importModel(*context, {folder() + "/" + GetParam() + ".keras", ""});
    ASSERT_TRUE(succeeded(imported));
    model = std::move(*imported);
    for (const Weight &weight : model.weights)
      weights[weight.variable] = arrayOf(weight);
    // No training is made of @forward: here it is called as it is.
    functions.emplace("predict", function("predict"));
    functions.emplace("forward", function("forward"));
    function("forward").setPublic();
    PassManager pipeline(context.get());
    pipeline.addPass(createLiftVariables());
    ASSERT_TRUE(succeeded(pipeline.run(*model.module)));
    program = test::makeReferenceExecutor()->compilePure(*model.module);
    ASSERT_TRUE(program);
  }

  func::FuncOp function(StringRef name) { return model.module->lookupSymbol<func::FuncOp>(name); }

  /// Calls a function on the golden inputs; `weights` are updated.
  void check(const std::string &name) {
    const Function &function = functions.at(name);
    std::vector<Array> arguments, results;
    for (auto [input, type] : llvm::zip_equal(function.inputs, function.inputTypes))
      arguments.push_back(arrayOf(*golden.find("inputs")->find(input), type));
    for (const std::string &variable : function.variables)
      arguments.push_back(weights.at(variable));
    for (auto [output, type] : llvm::zip_equal(function.outputs, function.outputTypes)) {
      results.push_back(arrayOf(*golden.find(name)->find(output), type));
      std::fill(results.back().values.begin(), results.back().values.end(), 0);
    }
    program->call(name, arguments, results);
    for (size_t i = 0; i < results.size(); ++i)
      compare(results[i], *golden.find(name)->find(function.outputs[i]), function.outputs[i]);
    for (size_t i = 0; i < function.variables.size(); ++i)
      weights[function.variables[i]] = arguments[function.inputs.size() + i];
  }

  void compare(const Array &actual, const Json &expectedJson, const std::string &what) {
    Array expected;
    flatten(expectedJson, 0, expected);
    ASSERT_EQ(actual.values.size(), expected.values.size()) << what;
    double tolerance = actual.element == "f32" ? 1e-5 : 1e-10;
    for (size_t i = 0; i < expected.values.size(); ++i)
      EXPECT_NEAR(actual.values[i], expected.values[i],
                  tolerance * (1 + std::abs(expected.values[i])))
          << what << ", element " << i;
  }

  std::map<std::string, Function> functions;
};

TEST_P(GoldenModel, computes_what_keras_computes) {
  compile();
  if (HasFatalFailure())
    return;
  check("predict");
  if (!golden.find("forward"))
    return;
  std::vector<std::string> order;
  for (const Weight &weight : model.weights)
    order.push_back(weight.variable);
  auto before = weights;
  check("forward");
  std::vector<std::string> assigned;
  for (const std::string &name : order)
    if (weights[name].values != before[name].values)
      assigned.push_back(name);
  const Json::Array &expected = *golden.find("assigned")->array();
  ASSERT_EQ(assigned.size(), expected.size());
  for (size_t i = 0; i < assigned.size(); ++i)
    compare(weights[assigned[i]], expected[i], assigned[i]);
}

INSTANTIATE_TEST_SUITE_P(Golden, GoldenModel, testing::ValuesIn(goldenModels()),
                         [](const auto &info) { return info.param; });

TEST(Golden, compiled_model_has_optimizer_state_and_settings) {
  auto context = test::makeContext();
  auto model = importModel(*context, {std::string(GOLDEN_FOLDER) + "/compiled.keras", ""});
  ASSERT_TRUE(succeeded(model));
  // iterations, learning rate, then two slots for each of two kernels and two biases
  ASSERT_EQ(model->optimizerState.size(), 10u);
  EXPECT_EQ(model->optimizerState[0].variable, "optimizer/vars/0");
  EXPECT_EQ(model->optimizerState[1].variable, "optimizer/vars/1");
  int64_t iterations;
  std::memcpy(&iterations, model->optimizerState[0].data.data(), sizeof iterations);
  EXPECT_EQ(iterations, 3);
  EXPECT_EQ(model->optimizerState[2].type.getShape(), (ArrayRef<int64_t>{3, 4}));
  EXPECT_NE(model->compileConfig.find("\"Adam\""), std::string::npos);
  auto training = (*model->module)->getAttrOfType<DictionaryAttr>("fw.training");
  ASSERT_TRUE(training);
  EXPECT_EQ(cast<StringAttr>(training.get("loss")).getValue(), "mse");
  EXPECT_TRUE(isa<UnitAttr>(training.get("loss_weights")));
}

} // namespace
