// Trains small models with every loss, metric, optimizer and schedule and compares with what Keras
// made of them (training/expected.json, written by training/generate.py), in f64.
//
// The steps are few and well conditioned: what remains is rounding in a few hundred operations,
// below 1e-12, and 1e-9 leaves it room. Schedules alone are computed in f32, where the last bit of
// pow and cos is the library's own: 2^-23 of what a step moves, which is of the order of 1.
#include "tests/numeric/TrainedModel.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace formwork::test;
using llvm::formatv;

namespace {

constexpr int64_t inputs = 3, hidden = 4, samples = 28, batch = 6;

struct Head {
  std::string kind, target;
  int64_t units;
};

struct Case {
  std::string name, training;
  std::vector<Head> heads;
  llvm::json::Object fit, evaluate;
  llvm::json::Array weights, optimizer;

  double tolerance() const { return name.rfind("schedule_", 0) == 0 ? 0x1p-23 : 1e-9; }
};

const std::vector<Case> &cases() {
  static const std::vector<Case> all = [] {
    auto file = llvm::cantFail(llvm::errorOrToExpected(llvm::MemoryBuffer::getFile(EXPECTED)));
    llvm::json::Value rows = llvm::cantFail(llvm::json::parse(file->getBuffer()));
    std::vector<Case> read;
    for (llvm::json::Value &row : *rows.getAsArray()) {
      llvm::json::Object &object = *row.getAsObject();
      Case next{object.getString("name")->str(),
                object.getString("training")->str(),
                {},
                *object.getObject("fit"),
                *object.getObject("evaluate"),
                *object.getArray("weights"),
                *object.getArray("optimizer")};
      for (llvm::json::Value &value : *object.getArray("heads")) {
        llvm::json::Object &head = *value.getAsObject();
        next.heads.push_back({head.getString("kind")->str(), head.getString("target")->str(),
                              *head.getInteger("units")});
      }
      read.push_back(std::move(next));
    }
    return read;
  }();
  return all;
}

//===--- the same numbers as generate.py's -------------------------------------------------------

Array numbers(Shape shape, int64_t seed) {
  Array array(std::move(shape));
  for (int64_t i = 0; i < array.size(); ++i)
    array.values[i] = std::sin(i * 12.9898 + seed);
  return array;
}

Array targetOf(const Head &head, int64_t seed) {
  Array all = numbers({samples, head.units}, seed);
  if (head.target == "classes")
    all = Array({samples}, "i64");
  for (int64_t i = 0; i < samples; ++i)
    for (int64_t j = 0; j < all.size() / samples; ++j) {
      double &value = all.values[i * (all.size() / samples) + j];
      int64_t label = i * 7 % head.units;
      if (head.target == "classes")
        value = label;
      else if (head.target == "one_hot")
        value = label == j;
      else if (head.target == "binary")
        value = value > 0;
    }
  return all;
}

/// Rows [first, last) of dimension 0.
Array rows(const Array &all, int64_t first, int64_t last) {
  Array part = all;
  int64_t row = all.size() / all.shape[0];
  part.shape[0] = last - first;
  part.values.assign(all.values.begin() + first * row, all.values.begin() + last * row);
  return part;
}

//===--- the model as a front end writes it ------------------------------------------------------

std::string dense(const char *name, const std::string &input, int64_t from, int64_t to) {
  return formatv(R"(
    %{0}_w = fw.read @"{0}/kernel" : tensor<{2}x{3}xf64>
    %{0}_b = fw.read @"{0}/bias" : tensor<{3}xf64>
    %{0}_d = fw.dot_general %{1}, %{0}_w contract [1] x [0] batch [] x [] : (tensor<?x{2}xf64>, tensor<{2}x{3}xf64>) -> tensor<?x{3}xf64>
    %{0} = fw.add %{0}_d, %{0}_b : (tensor<?x{3}xf64>, tensor<{3}xf64>) -> tensor<?x{3}xf64>)",
                 name, input, from, to);
}

std::string variablesOf(const std::string &name, int64_t from, int64_t to) {
  const char *zeros = R"({role = "weight", initializer = {class_name = "Zeros", config = {}}})";
  return formatv("fw.variable @\"{0}/kernel\" : tensor<{1}x{2}xf64> trainable {3}\n"
                 "fw.variable @\"{0}/bias\" : tensor<{2}xf64> trainable {3}\n",
                 name, from, to, zeros);
}

/// The head's activation; ends in %y<index>.
std::string activation(const Head &head, size_t index) {
  std::string type = formatv("tensor<?x{0}xf64>", head.units);
  std::string op = head.kind.substr(0, head.kind.find('_'));
  bool reshaped = head.kind.find("_reshaped") != std::string::npos;
  if (op == "linear")
    return formatv("\n    %y{0} = fw.reshape %head{0} to [-1, {1}] : ({2}) -> {2}", index,
                   head.units, type);
  std::string text = formatv("\n    %{3}{0} = fw.{1} %head{0} : ({2}) -> {2}", index, op, type,
                             reshaped ? "p" : "y");
  if (reshaped)
    text += formatv("\n    %y{0} = fw.reshape %p{0} to [-1, {1}] : ({2}) -> {2}", index, head.units,
                    type);
  return text;
}

std::string functionOf(const std::vector<Head> &heads, const char *declaration) {
  std::string body = dense("hidden", "x", inputs, hidden);
  body += formatv("\n    %h = fw.tanh %hidden : (tensor<?x{0}xf64>) -> tensor<?x{0}xf64>", hidden);
  std::string results, values, types;
  for (auto [i, head] : llvm::enumerate(heads)) {
    body += dense(formatv("head{0}", i).str().c_str(), "h", hidden, head.units);
    body += activation(head, i);
    std::string comma = i ? ", " : "";
    results += formatv("{0}tensor<?x{1}xf64> {{fw.name = \"head_{2}\", fw.role = \"output\", "
                       "fw.symbols = array<i64: 0, -1>}",
                       comma, head.units, i);
    values += formatv("{0}%y{1}", comma, i);
    types += formatv("{0}tensor<?x{1}xf64>", comma, head.units);
  }
  return formatv("func.func {0}(%x: tensor<?x{1}xf64> {{fw.name = \"x\", fw.role = \"input\", "
                 "fw.symbols = array<i64: 0, -1>})\n    -> ({2}) {{{3}\n    return {4} : {5}\n}\n",
                 declaration, inputs, results, body, values, types);
}

std::string moduleOf(const std::vector<Head> &heads, const std::string &training) {
  std::string text = formatv("module attributes {{fw.name = \"model\", fw.symbols = 1 : i64, "
                             "fw.floatx = f64, fw.signatures = [array<i64: {0}>],\n"
                             "  fw.training = {1}} {{\n",
                             batch, training);
  text += variablesOf("hidden", inputs, hidden);
  for (auto [i, head] : llvm::enumerate(heads))
    text += variablesOf(formatv("head{0}", i), hidden, head.units);
  return text + functionOf(heads, "@predict") + functionOf(heads, "private @forward") + "}\n";
}

//===--- training --------------------------------------------------------------------------------

/// A model with Keras's weights, and its data.
struct Training {
  TrainedModel model;
  Array x;
  std::vector<Array> targets;

  Training(const Case &row, const std::set<std::string> &functions)
      : model(moduleOf(row.heads, row.training), functions) {
    model.call("init", {{"seed seed", Array({}, "i64", 1)}});
    for (size_t i = 0; i < row.weights.size(); ++i)
      weight(i) = numbers(weight(i).shape, i);
    x = numbers({samples, inputs}, 100);
    for (auto [i, head] : llvm::enumerate(row.heads))
      targets.push_back(targetOf(head, 200 + i));
  }

  Array &weight(size_t index) { return model.variables.at(model.order[index]); }

  /// Inputs and targets of the batch that begins at sample `first`.
  Arrays batchAt(int64_t first) const {
    int64_t last = std::min(first + batch, samples);
    Arrays buffers = {{"input x", rows(x, first, last)}};
    for (auto [i, target] : llvm::enumerate(targets))
      buffers["target head_" + std::to_string(i)] = rows(target, first, last);
    return buffers;
  }

  /// Calls `step` for each whole batch, and `last` for the smaller one at the end.
  void epoch(const std::string &step, const std::string &last) {
    model.call("reset_metrics");
    for (int64_t first = 0; first < samples; first += batch)
      model.call(first + batch <= samples ? step : last, batchAt(first));
  }
};

void expectNear(const Array &actual, const llvm::json::Value &expected, double tolerance,
                const std::string &what) {
  const llvm::json::Array &values = *expected.getAsArray();
  ASSERT_EQ(actual.values.size(), values.size()) << what;
  for (size_t i = 0; i < values.size(); ++i) {
    double value = *values[i].getAsNumber();
    EXPECT_NEAR(actual.values[i], value, tolerance * (1 + std::abs(value)))
        << what << "[" << i << "]";
  }
}

/// The same metrics under the same names, with the same values.
void expectMetrics(const Arrays &actual, const llvm::json::Object &expected, double tolerance) {
  EXPECT_EQ(actual.size(), expected.size());
  for (const auto &[name, value] : expected) {
    auto metric = actual.find("metric " + name.str());
    ASSERT_NE(metric, actual.end()) << "there is no metric " << name.str();
    EXPECT_NEAR(metric->second.values[0], *value.getAsNumber(), tolerance) << name.str();
  }
}

struct AgainstKeras : testing::TestWithParam<const Case *> {};

TEST_P(AgainstKeras, an_epoch_gives_the_same_metrics_weights_and_optimizer_state) {
  const Case &expected = *GetParam();
  Training training(expected, {"init", "train_step", "train_step__6", "evaluate_step", "metrics",
                               "reset_metrics", "finalize"});
  training.epoch("train_step__6", "train_step");
  if (expected.training.find("use_ema = true") != std::string::npos)
    training.model.call("finalize");
  expectMetrics(training.model.call("metrics"), expected.fit, expected.tolerance());
  for (size_t i = 0; i < expected.weights.size(); ++i)
    expectNear(training.weight(i), expected.weights[i], expected.tolerance(),
               training.model.order[i]);
  size_t saved = 0;
  for (const auto &[name, path] : training.model.paths) {
    ASSERT_EQ(path.rfind("optimizer/vars/", 0), 0u) << path;
    size_t index = std::stoul(path.substr(strlen("optimizer/vars/")));
    ASSERT_LT(index, expected.optimizer.size()) << name;
    expectNear(training.model.variables.at(name), expected.optimizer[index], expected.tolerance(),
               name);
    ++saved;
  }
  EXPECT_EQ(saved, expected.optimizer.size());
  training.epoch("evaluate_step", "evaluate_step");
  expectMetrics(training.model.call("metrics"), expected.evaluate, expected.tolerance());
}

struct Entries : testing::TestWithParam<const Case *> {};

TEST_P(Entries, gradients_then_apply_is_train_step_to_the_last_bit) {
  Training training(*GetParam(), {"init", "train_step__6", "gradients__6", "apply"});
  TrainedModel &model = training.model;
  for (int64_t first : {0, 6}) {
    Arrays before = model.variables;
    Arrays loss = model.call("train_step__6", training.batchAt(first));
    Arrays after = std::exchange(model.variables, before);
    Arrays gradients = model.call("gradients__6", training.batchAt(first));
    EXPECT_EQ(loss.at("loss loss").values, gradients.at("loss loss").values);
    model.call("apply", gradients);
    for (const auto &[name, value] : after)
      EXPECT_EQ(value.values, model.variables.at(name).values) << name;
  }
}

/// The cases whose name begins so.
std::vector<const Case *> casesOf(const std::string &prefix) {
  std::vector<const Case *> some;
  for (const Case &row : cases())
    if (row.name.rfind(prefix, 0) == 0)
      some.push_back(&row);
  return some;
}

std::string nameOf(const testing::TestParamInfo<const Case *> &info) { return info.param->name; }

INSTANTIATE_TEST_SUITE_P(Keras, AgainstKeras, testing::ValuesIn(casesOf("")), nameOf);
INSTANTIATE_TEST_SUITE_P(Optimizers, Entries, testing::ValuesIn(casesOf("optimizer_")), nameOf);
INSTANTIATE_TEST_SUITE_P(Outputs, Entries, testing::ValuesIn(casesOf("outputs_")), nameOf);

} // namespace
