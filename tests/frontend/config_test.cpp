// Keras configurations: what is made of good ones, and what is said about each mistake.
#include "tests/frontend/Importing.h"

#include "llvm/Support/FormatVariadic.h"

using namespace formwork::test;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

namespace {

//===--- configurations --------------------------------------------------------------------------

/// {"module": "keras.layers", "class_name": ..., "config": {"name": ..., ...}}
std::string layer(const std::string &className, const std::string &name,
                  const std::string &arguments = "", const std::string &more = "") {
  return R"({"module": "keras.layers", "class_name": ")" + className +
         R"(", "config": {"name": ")" + name + "\"" + (arguments.empty() ? "" : ", ") + arguments +
         R"(}, "registered_name": null)" + more + "}";
}

std::string input(const std::string &shape = "[null, 4]", const std::string &name = "x") {
  return layer("InputLayer", name, R"("batch_shape": )" + shape + R"(, "dtype": "float32")");
}

std::string join(const std::vector<std::string> &parts) {
  std::string all;
  for (const std::string &part : parts)
    all += (all.empty() ? "" : ",\n") + part;
  return all;
}

std::string sequential(const std::vector<std::string> &layers, const std::string &more = "") {
  return R"({"module": "keras", "class_name": "Sequential", "config": {"name": "sequential", "layers": [)" +
         join(layers) + "]}, \"registered_name\": null" + more + "}";
}

std::string tensor(const std::string &name, int node = 0, int index = 0) {
  return llvm::formatv(
      R"({{"class_name": "__keras_tensor__", "config": {{"keras_history": ["{0}", {1}, {2}]}})",
      name, node, index);
}

/// A list of two tensors.
std::string both(const char *a, const char *b) {
  return llvm::formatv("[{0}, {1}]", tensor(a), tensor(b));
}

/// A layer of a Functional model, called once for each of `calls`.
std::string called(const std::string &object, const std::string &name,
                   const std::vector<std::string> &calls) {
  std::string nodes;
  for (const std::string &call : calls)
    nodes += (nodes.empty() ? "" : ", ") + ("{\"args\": [" + call + "], \"kwargs\": {}}");
  return object.substr(0, object.size() - 1) + R"(, "name": ")" + name +
         R"(", "inbound_nodes": [)" + nodes + "]}";
}

std::string functional(const std::vector<std::string> &layers, const std::string &inputs,
                       const std::string &outputs, const std::string &name = "functional") {
  return R"({"module": "keras.src.models.functional", "class_name": "Functional", "config": {"name": ")" +
         name + R"(", "layers": [)" + join(layers) + R"(], "input_layers": )" + inputs +
         R"(, "output_layers": )" + outputs + R"(}, "registered_name": "Functional"})";
}

std::string dense(const std::string &name, const std::vector<std::string> &calls, int units = 4) {
  return called(layer("Dense", name, "\"units\": " + std::to_string(units)), name, calls);
}

std::vector<std::string> diagnose(const std::string &text) {
  Importing importing(text);
  EXPECT_TRUE(failed(importing.model));
  return importing.diagnostics;
}

//===--- good ones -------------------------------------------------------------------------------

TEST(Config, sequential_becomes_variables_predict_and_forward) {
  Importing importing(
      sequential({input(), layer("Dense", "hidden", R"("units": 3, "activation": "relu")"),
                  layer("Dropout", "dropout", R"("rate": 0.5)"),
                  layer("Dense", "logits", R"("units": 2, "use_bias": false)")}));
  ASSERT_TRUE(succeeded(importing.model)) << testing::PrintToString(importing.diagnostics);
  std::string text = importing.module();
  for (const char *expected :
       {R"(fw.name = "test")", "fw.symbols = 1 : i64", "fw.floatx = f32",
        R"(fw.variable @"hidden/kernel" : tensor<4x3xf32> trainable)",
        R"(path = "layers/dense/vars/0")", R"(path = "layers/dense/vars/1")",
        R"(path = "layers/dense_1/vars/0")", R"(class_name = "GlorotUniform")",
        R"(fw.variable @rng : tensor<2xi64>)", "func.func @predict(%arg0: tensor<?x4xf32>",
        "func.func private @forward(%arg0: tensor<?x4xf32>", "fw.dropout",
        R"(fw.name = "logits", fw.role = "output", fw.symbols = array<i64: 0, -1>)"})
    EXPECT_THAT(text, HasSubstr(expected));
  EXPECT_THAT(text.substr(0, text.find("@forward")), Not(HasSubstr("fw.dropout")));
}

TEST(Config, sequential_without_input_layer_uses_the_shape_it_was_built_with) {
  std::string text = sequential({layer("Dense", "d", R"("units": 3)")});
  text.insert(text.find("\"layers\""), R"("build_input_shape": [null, 5], )");
  Importing importing(text);
  ASSERT_TRUE(succeeded(importing.model)) << testing::PrintToString(importing.diagnostics);
  EXPECT_THAT(importing.module(), HasSubstr("func.func @predict(%arg0: tensor<?x5xf32>"));
}

TEST(Config, shared_layer_has_one_set_of_variables) {
  Importing importing(functional({called(input(), "x", {}), dense("d", {tensor("x"), tensor("d")})},
                                 R"(["x", 0, 0])", R"(["d", 1, 0])"));
  ASSERT_TRUE(succeeded(importing.model)) << testing::PrintToString(importing.diagnostics);
  std::string text = importing.module();
  EXPECT_EQ(text.find("fw.variable @\"d/kernel\""), text.rfind("fw.variable @\"d/kernel\""));
  EXPECT_THAT(text, Not(HasSubstr("dense_1")));
}

TEST(Config, unused_layers_are_left_out) {
  Importing importing(functional(
      {called(input(), "x", {}), dense("unused", {tensor("x")}), dense("d", {tensor("x")})},
      R"([["x", 0, 0]])", R"([["d", 0, 0]])"));
  ASSERT_TRUE(succeeded(importing.model)) << testing::PrintToString(importing.diagnostics);
  EXPECT_THAT(importing.module(), AllOf(Not(HasSubstr("unused")), HasSubstr("layers/dense/vars/0"),
                                        Not(HasSubstr("dense_1"))));
}

TEST(Config, unknown_sizes_that_must_be_equal_share_a_symbol) {
  Importing importing(functional({called(input("[null, null, 4]", "a"), "a", {}),
                                  called(input("[null, null, 4]", "b"), "b", {}),
                                  called(layer("Add", "sum"), "sum", {both("a", "b")})},
                                 R"([["a", 0, 0], ["b", 0, 0]])", R"([["sum", 0, 0]])"));
  ASSERT_TRUE(succeeded(importing.model)) << testing::PrintToString(importing.diagnostics);
  EXPECT_THAT(
      importing.module(),
      AllOf(HasSubstr("fw.symbols = 2 : i64"),
            HasSubstr(R"(fw.name = "b", fw.role = "input", fw.symbols = array<i64: 0, 1, -1>)")));
}

TEST(Config, input_that_indexes_an_embedding_is_limited_to_its_rows) {
  Importing importing(sequential(
      {input("[null, 6]"), layer("Embedding", "e", R"("input_dim": 9, "output_dim": 2)")}));
  ASSERT_TRUE(succeeded(importing.model)) << testing::PrintToString(importing.diagnostics);
  EXPECT_THAT(importing.module(), HasSubstr("fw.limit = 9 : i64"));
}

TEST(Config, frozen_layer_is_not_trainable_and_infers) {
  Importing importing(
      sequential({input(), layer("BatchNormalization", "norm", R"("trainable": false)")}));
  ASSERT_TRUE(succeeded(importing.model)) << testing::PrintToString(importing.diagnostics);
  EXPECT_THAT(importing.module(), AllOf(Not(HasSubstr("trainable")), Not(HasSubstr("fw.assign")),
                                        Not(HasSubstr("fw.batch_norm"))));
}

TEST(Config, ops_are_located_at_their_layer) {
  Importing importing(sequential({input(), layer("Dense", "d", R"("units": 2)")}));
  ASSERT_TRUE(succeeded(importing.model)) << testing::PrintToString(importing.diagnostics);
  bool found = false;
  importing.model->module->walk([&](mlir::Operation *op) {
    auto name = mlir::dyn_cast<mlir::NameLoc>(op->getLoc());
    auto at = name ? mlir::dyn_cast<mlir::FileLineColLoc>(name.getChildLoc()) : nullptr;
    found |= at && name.getName() == "d" && at.getFilename() == "test.keras" && at.getLine() == 2;
  });
  EXPECT_TRUE(found);
}

//===--- layers and arguments --------------------------------------------------------------------

TEST(ConfigErrors, every_unsupported_layer_and_argument_is_listed_with_its_position) {
  EXPECT_THAT(
      diagnose(sequential({input(), layer("ConvLSTM1D", "g", R"("units": 3)"),
                           layer("Dense", "d", R"("units": 0, "lora_rank": 4, "colour": 1)"),
                           layer("ConvLSTM2D", "c")})),
      ElementsAre(
          "1:1: this model cannot be compiled: 5 problems",
          "2:1: layer 'g' (ConvLSTM1D) at /config/layers/1: layers of this class are not supported",
          AllOf(HasSubstr("3:"), HasSubstr("layer 'd' (Dense) at /config/layers/2/config/colour: "
                                           "argument 'colour' is unknown")),
          HasSubstr("/config/layers/2/config/units: argument 'units' must be a positive integer"),
          HasSubstr("argument 'lora_rank' is not supported; only null is"),
          HasSubstr("layer 'c' (ConvLSTM2D) at /config/layers/3: layers of this class")));
}

TEST(ConfigErrors, missing_argument) {
  EXPECT_THAT(diagnose(sequential({input(), layer("Dense", "d")})),
              ElementsAre(HasSubstr("argument 'units' is missing")));
}

TEST(ConfigErrors, unsupported_activation_names_those_that_are) {
  EXPECT_THAT(
      diagnose(sequential({input(), layer("Dense", "d", R"("units": 2, "activation": "quick")")})),
      ElementsAre(
          HasSubstr("an activation that is not supported: 'quick'; supported are linear, relu")));
}

TEST(ConfigErrors, unsupported_initializer) {
  EXPECT_THAT(
      diagnose(sequential(
          {input(),
           layer("Dense", "d",
                 R"("units": 2, "kernel_initializer": {"class_name": "Sobol", "config": {}})")})),
      ElementsAre(HasSubstr("an initializer that is not supported: 'Sobol'")));
}

TEST(ConfigErrors, mixed_precision) {
  EXPECT_THAT(
      diagnose(sequential(
          {input(),
           layer(
               "Dense", "d",
               R"("units": 2, "dtype": {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}})")})),
      ElementsAre(HasSubstr("dtype policy 'mixed_float16' is not supported")));
}

TEST(ConfigErrors, lambda_layer_is_refused_by_name) {
  EXPECT_THAT(
      diagnose(sequential(
          {input(),
           layer("Lambda", "l",
                 R"("function": {"class_name": "__lambda__", "config": {"code": "4wEA"}})")})),
      ElementsAre(HasSubstr("layer 'l' (Lambda) at /config/layers/1: a Lambda layer is Python "
                            "code, which is never run")));
}

TEST(ConfigErrors, stored_code_is_refused_wherever_it_stands) {
  EXPECT_THAT(
      diagnose(sequential(
          {input(), layer("Dense", "d", R"("units": 2)")},
          R"(, "compile_config": {"loss": {"class_name": "__lambda__", "config": {"value": "4wEA"}}})")),
      ElementsAre(HasSubstr("at /compile_config/loss: this is Python code stored in the file")));
}

TEST(ConfigErrors, activation_stored_as_code) {
  EXPECT_THAT(
      diagnose(sequential(
          {input(),
           layer("Dense", "d", R"("units": 2, "activation": {"value": ["4wEA", null, null]})")})),
      ElementsAre(HasSubstr("argument 'activation' is Python code stored in the file")));
}

TEST(ConfigErrors, custom_class_with_a_known_name) {
  std::string custom = layer("Dense", "d", R"("units": 2)");
  custom.replace(custom.find("null"), 4, R"("mine>Dense")");
  EXPECT_THAT(diagnose(sequential({input(), custom})),
              ElementsAre(HasSubstr("custom classes are not supported")));
}

TEST(ConfigErrors, layer_in_the_format_of_keras_2) {
  EXPECT_THAT(diagnose(sequential(
                  {input(), R"({"class_name": "Dense", "config": {"name": "d", "units": 2}})"})),
              ElementsAre(HasSubstr("this is the format of Keras 2")));
}

TEST(ConfigErrors, names_are_shown_escaped_and_cut) {
  std::vector<std::string> shown =
      diagnose(sequential({input(), layer("GRU", R"(\u001b[31m)" + std::string(200, 'n'))}));
  EXPECT_THAT(shown, ElementsAre(AllOf(HasSubstr(R"(layer '\x1b[31mnnn)"), HasSubstr("nnn...'"))));
  EXPECT_LT(shown[0].size(), 250u);
}

TEST(ConfigErrors, duplicate_names) {
  EXPECT_THAT(diagnose(sequential({input(), layer("Flatten", "f"), layer("Flatten", "f")})),
              ElementsAre(HasSubstr("layer 'f' (Flatten) at /config/layers/2: another layer of "
                                    "this model has the same name")));
}

TEST(ConfigErrors, layer_without_class) {
  EXPECT_THAT(diagnose(sequential({input(), R"({"config": {}})"})),
              ElementsAre(HasSubstr(
                  "at /config/layers/1: a layer must be an object with class_name and config")));
}

//===--- one layer that is wrong -----------------------------------------------------------------

struct Mistake {
  std::string className, arguments, expected, shape = "[null, 4]";
};

/// The argument of a wrapper.
std::string wrapped(const std::string &className, const std::string &arguments) {
  return "\"layer\": " + layer(className, "inner", arguments);
}

/// The arguments of a Bidirectional.
std::string pair(const std::string &className, const std::string &forward,
                 const std::string &backward) {
  return wrapped(className, forward) +
         ", \"backward_layer\": " + layer(className, "other", backward);
}

const Mistake mistakes[] = {
    {"Activation", R"("activation": "glu")", "halves the last axis, whose size 5 is odd",
     "[null, 5]"},
    {"Activation", R"("activation": "sparsemax")", "needs a last axis of fixed size",
     "[null, null]"},
    {"Activation", R"("activation": "threshold")",
     "takes arguments that an activation is not given"},
    {"Conv2D", R"("filters": 2, "kernel_size": 1, "activation": "glu")",
     "supported only in Dense and Activation", "[null, 4, 4, 1]"},
    {"Dense", R"("units": 2, "activation": {"class_name": "LeakyReLU", "config": {"slope": 1}})",
     "argument 'activation' is a LeakyReLU whose argument 'slope' is unknown"},
    {"Dense", R"("units": 2, "activation": {"class_name": "Softmax", "config": {"axis": 1}})",
     "argument 'axis' is supported only as -1 in an activation"},
    {"Dense",
     R"("units": 2, "activation": {"class_name": "ReLU", "registered_name": "mine>ReLU", "config": {}})",
     "an activation that is not supported: 'ReLU'"},
    {"Dense",
     R"("units": 2, "kernel_initializer": {"class_name": "HeNormal", "config": {"seed": "a"}})",
     "its initializer's argument 'seed' must be null, an integer or a SeedGenerator"},
    {"Dense",
     R"("units": 2, "kernel_initializer": {"class_name": "HeNormal", "config": {"input_axes": 1}})",
     "its initializer's argument 'input_axes' must be null or a list of axes"},
    {"Dense",
     R"("units": 2, "kernel_initializer": {"class_name": "Orthogonal", "config": {"gain": []}})",
     "its initializer's argument 'gain' must be a number"},
    {"Dense",
     R"("units": 2, "kernel_initializer": {"class_name": "Constant", "config": {"value": [[1], [2, 3]]}})",
     "its initializer's argument 'value' must be a number or nested lists of numbers"},
    {"Dense",
     R"("units": 2, "kernel_initializer": {"class_name": "STFT", "config": {"scaling": "loud"}})",
     "its initializer's argument 'scaling' must be \"density\", \"spectrum\" or null"},
    {"ReLU", R"("max_value": -1)", "argument 'max_value' must be a number and not negative"},
    {"ReLU", R"("threshold": "a")", "argument 'threshold' must be a number and not negative"},
    {"LeakyReLU", R"("negative_slope": null)", "argument 'negative_slope' must be a number"},
    {"PReLU", R"("shared_axes": [0])",
     "argument 'shared_axes' must be null or axes counted from 1"},
    {"PReLU", R"("shared_axes": [2])", "so there is no axis 2"},
    {"PReLU", "", "only the batch and the axes in `shared_axes` may have an unknown size",
     "[null, null]"},
    {"Softmax", R"("axis": [1, -1])", "argument 'axis' names axis 1 twice"},
    {"Softmax", R"("axis": 2)", "so there is no axis 2"},
    {"Dropout", R"("rate": 1.5)", "argument 'rate' must be from 0 to 1"},
    {"Dropout", R"("rate": 0.5, "noise_shape": 3)",
     "argument 'noise_shape' must be null or a list"},
    {"Dropout", R"("rate": 0.5, "noise_shape": [null])",
     "argument 'noise_shape' must have a size for each dimension"},
    {"Dropout", R"("rate": 0.5, "noise_shape": [8, 4])",
     "argument 'noise_shape' must be 1 or null where it is not the input's size"},
    {"SpatialDropout1D", R"("rate": 0.5)", "it needs 3 dimensions"},
    {"SpatialDropout2D", R"("rate": 0.5, "data_format": "NCHW")",
     "argument 'data_format' must be \"channels_last\""},
    {"AlphaDropout", R"("rate": 1.0)", "argument 'rate' must be at least 0 and less than 1"},
    {"GaussianDropout", R"("rate": 1.0)", "argument 'rate' must be at least 0 and less than 1"},
    {"GaussianNoise", R"("stddev": 2)", "argument 'stddev' must be from 0 to 1"},
    {"Permute", R"("dims": [2, 2])", "argument 'dims' must list the numbers from 1 on, each once"},
    {"Permute", R"("dims": [2, 1])", "permutes 2 dimensions after the batch"},
    {"RepeatVector", R"("n": 0)", "argument 'n' must be a positive integer"},
    {"RepeatVector", R"("n": 2)", "the last dimension of its input must have a fixed size",
     "[null, null]"},
    {"Rescaling", R"("scale": [[1], [1, 2]])", "argument 'scale' must be a number or nested lists"},
    {"Rescaling", R"("scale": [1, 2, 3])", "argument 'scale' has shape (3), which does not fit"},
    {"Normalization", R"("mean": 1)", "'mean' and 'variance' must be given together"},
    {"Normalization", R"("mean": [1, 2], "variance": [1, 2])",
     "argument 'mean' has shape (2), which does not fit"},
    {"Normalization", R"("axis": 1)", "axis 1 of its input must have a fixed size", "[null, null]"},
    {"GroupNormalization", R"("groups": 3)",
     "4 channels of its input cannot be split into 3 groups"},
    {"GroupNormalization", R"("groups": 0)", "argument 'groups' must be a positive integer, or -1"},
    {"GroupNormalization", R"("groups": 2)", "at most one size may be unknown", "[null, null, 4]"},
    {"RMSNormalization", R"("axis": 1)", "its axes must have fixed sizes and be the last ones",
     "[null, 3, 4]"},
    {"UnitNormalization", R"("axis": [1, 1])", "it normalizes axis 1 twice"},
    {"Average", "", "it must be called with a list of tensors"},
    {"Dot", R"("axes": [1, 1, 1])", "argument 'axes' must be an axis or a list of two"},
    {"Dot", R"("axes": 1)", "it must be called with a list of two tensors"},
    {"GRU", R"("units": 2, "stateful": true)", "argument 'stateful'", "[null, 3, 4]"},
    {"Conv1DTranspose", R"("filters": 2, "kernel_size": 3, "strides": 2, "output_padding": 2)",
     "argument 'output_padding' does not fit its kernel_size and strides", "[null, 3, 4]"},
    {"Conv1DTranspose",
     R"("filters": 2, "kernel_size": 2, "strides": 2, "padding": "same", "output_padding": 0)",
     "argument 'output_padding' does not fit its kernel_size and strides", "[null, 3, 4]"},
    {"Conv1DTranspose", R"("filters": 2, "kernel_size": 3, "output_padding": -1)",
     "argument 'output_padding' must be null, a whole number", "[null, 3, 4]"},
    {"Conv1DTranspose", R"("filters": 2, "kernel_size": 3, "strides": 2, "dilation_rate": 2)",
     "strides and dilation_rate cannot both be more than 1", "[null, 3, 4]"},
    {"Masking", R"("mask_value": null)", "argument 'mask_value' must be a number", "[null, 3, 4]"},
    {"Bidirectional", R"("layer": 3, "backward_layer": {})", "argument 'layer' must be a layer"},
    {"Bidirectional", pair("Dense", R"("units": 2)", R"("units": 2)"), "is not recurrent",
     "[null, 3, 4]"},
    {"Bidirectional", pair("GRU", R"("units": 2)", R"("units": 2)"),
     "its two layers must run in opposite directions", "[null, 3, 4]"},
    {"Bidirectional",
     pair("GRU", R"("units": 2)", R"("units": 2, "go_backwards": true, "return_state": true)"),
     "argument 'return_state' must be the same", "[null, 3, 4]"},
    {"Bidirectional",
     R"("merge_mode": "sum", )" +
         pair("GRU", R"("units": 2)", R"("units": 3, "go_backwards": true)"),
     "return shapes that do not fit together: (?, 2) and (?, 3)", "[null, 3, 4]"},
    {"TimeDistributed", wrapped("Dense", R"("units": 2)"), "it needs at least 3 dimensions"},
    {"TimeDistributed", wrapped("Dense", R"("units": 2)"),
     "only the batch and the number of steps may be unknown", "[null, 3, null]"},
    {"TimeDistributed", wrapped("BatchNormalization", ""), "the number of steps must be fixed",
     "[null, null, 4]"},
    {"MultiHeadAttention", R"("num_heads": 2, "key_dim": 2, "use_gate": true)",
     "argument 'use_gate'", "[null, 3, 4]"},
    {"MultiHeadAttention", R"("num_heads": 2, "key_dim": 2)",
     "call argument 'value' must be one tensor", "[null, 3, 4]"},
};

TEST(ConfigErrors, each_mistake_in_a_layer_is_named) {
  for (const Mistake &mistake : mistakes)
    EXPECT_THAT(diagnose(sequential(
                    {input(mistake.shape), layer(mistake.className, "wrong", mistake.arguments)})),
                ElementsAre(AllOf(HasSubstr("layer 'wrong' (" + mistake.className + ")"),
                                  HasSubstr(mistake.expected))))
        << mistake.className << " with " << mistake.arguments;
}

/// A layer of two inputs that is wrong.
std::vector<std::string> diagnosePair(const std::string &object, const char *shape) {
  return diagnose(
      functional({called(input("[null, 4]", "a"), "a", {}), called(input(shape, "b"), "b", {}),
                  called(object, "m", {both("a", "b")})},
                 R"([["a", 0, 0], ["b", 0, 0]])", R"([["m", 0, 0]])"));
}

TEST(ConfigErrors, dot_of_shapes_that_do_not_fit) {
  EXPECT_THAT(diagnosePair(layer("Dot", "m", R"("axes": 1)"), "[null, 3]"),
              ElementsAre(HasSubstr("shapes that do not fit together: (?, 4) and (?, 3)")));
}

/// A GRU that is called with a sequence and what `more` are, in a model whose output is its tensor
/// `index`.
std::string stateful(const std::string &arguments, const std::string &more, int index = 0) {
  std::string object = layer("GRU", "g", R"("units": 4)" + arguments);
  return functional(
      {called(input("[null, 3, 4]", "x"), "x", {}), called(input("[null, 4]", "h"), "h", {}),
       called(object, "g", {tensor("x") + more})},
      R"([["x", 0, 0], ["h", 0, 0]])", R"([["g", 0, )" + std::to_string(index) + "]]");
}

TEST(Config, recurrent_layers_take_and_return_states) {
  Importing importing(stateful(R"(, "return_state": true)", ", [" + tensor("h") + "]", 1));
  ASSERT_TRUE(succeeded(importing.model)) << testing::PrintToString(importing.diagnostics);
  EXPECT_THAT(importing.module(), HasSubstr("fw.scan"));
}

TEST(ConfigErrors, states_that_do_not_fit) {
  EXPECT_THAT(diagnose(stateful("", ", [" + tensor("h") + ", " + tensor("h") + "]")),
              ElementsAre(HasSubstr("it is given 2 initial states; it has 1")));
  EXPECT_THAT(diagnose(stateful("", ", " + tensor("x"))),
              ElementsAre(HasSubstr("its initial state has shape (?, 3, 4)")));
}

TEST(ConfigErrors, output_that_a_call_does_not_return) {
  EXPECT_THAT(diagnose(stateful("", ", " + tensor("h"), 1)),
              ElementsAre(HasSubstr("its tensor 1 is used, but it returns 1")));
  EXPECT_THAT(diagnose(stateful("", ", " + tensor("h"), 7)),
              ElementsAre(HasSubstr("there is no tensor 7 of call 0 of layer 'g'")));
}

TEST(ConfigErrors, mask_of_another_shape) {
  EXPECT_THAT(diagnose(stateful("", ", null, " + tensor("h"))),
              ElementsAre(HasSubstr("its mask has shape (?, 4) where its input, of shape "
                                    "(?, 3, 4), needs (?, 3)")));
}

TEST(ConfigErrors, dot_over_the_batch) {
  EXPECT_THAT(diagnosePair(layer("Dot", "m", R"("axes": [1, 0])"), "[null, 4]"),
              ElementsAre(HasSubstr("argument 'axes' names axis 0, which is the batch")));
}

TEST(Config, initializer_may_have_axes_and_a_generator_of_seeds) {
  Importing importing(sequential(
      {input(),
       layer("Dense", "d",
             R"("units": 2, "kernel_initializer": {"class_name": "VarianceScaling", "config":
                         {"scale": 2.0, "input_axes": [0], "output_axes": [1], "seed":
                          {"class_name": "SeedGenerator", "config": {"seed": 3}}}})")}));
  ASSERT_TRUE(succeeded(importing.model)) << testing::PrintToString(importing.diagnostics);
  EXPECT_THAT(importing.module(),
              AllOf(HasSubstr("input_axes = [0]"), HasSubstr("seed = 3 : i64")));
}

TEST(Config, activation_may_be_an_object) {
  Importing importing(sequential(
      {input(), layer("Dense", "d",
                      R"("units": 2, "activation": {"module": "keras.layers", "class_name": "ReLU",
                         "config": {"name": "r", "max_value": 5.0}, "registered_name": null})")}));
  ASSERT_TRUE(succeeded(importing.model)) << testing::PrintToString(importing.diagnostics);
  EXPECT_THAT(importing.module(), HasSubstr("fw.minimum"));
}

TEST(Config, adapted_statistics_are_variables_that_do_not_train) {
  Importing importing(sequential({input(), layer("Normalization", "n")}));
  ASSERT_TRUE(succeeded(importing.model)) << testing::PrintToString(importing.diagnostics);
  EXPECT_THAT(importing.module(), AllOf(HasSubstr(R"(fw.variable @"n/mean" : tensor<4xf32>)"),
                                        HasSubstr(R"(fw.variable @"n/variance" : tensor<4xf32>)"),
                                        HasSubstr(R"(fw.variable @"n/count" : tensor<i64>)"),
                                        HasSubstr(R"(path = "layers/normalization/vars/2")"),
                                        Not(HasSubstr("trainable"))));
}

//===--- connections -----------------------------------------------------------------------------

TEST(ConfigErrors, cycle) {
  EXPECT_THAT(
      diagnose(functional(
          {called(input(), "x", {}), dense("a", {tensor("b")}), dense("b", {tensor("a")})},
          R"(["x", 0, 0])", R"(["b", 0, 0])")),
      ElementsAre(
          HasSubstr("2 problems"),
          HasSubstr("layer 'a' (Dense) at /config/layers/1/inbound_nodes/0: it is part of a cycle"),
          HasSubstr("layer 'b'")));
}

TEST(ConfigErrors, reference_to_a_missing_layer) {
  EXPECT_THAT(diagnose(functional({called(input(), "x", {}), dense("d", {tensor("nobody")})},
                                  R"(["x", 0, 0])", R"(["d", 0, 0])")),
              ElementsAre(HasSubstr("this model has no layer 'nobody'")));
}

TEST(ConfigErrors, reference_to_a_missing_call) {
  EXPECT_THAT(diagnose(functional({called(input(), "x", {}), dense("d", {tensor("x", 1)})},
                                  R"(["x", 0, 0])", R"(["d", 0, 0])")),
              ElementsAre(HasSubstr("there is no tensor 0 of call 1 of layer 'x'")));
}

TEST(ConfigErrors, reference_to_a_missing_output) {
  EXPECT_THAT(diagnose(functional({called(input(), "x", {}), dense("d", {tensor("x")})},
                                  R"(["x", 0, 0])", R"(["d", 0, 1])")),
              ElementsAre(HasSubstr("there is no tensor 1 of call 0 of layer 'd'")));
}

TEST(ConfigErrors, functional_without_outputs) {
  EXPECT_THAT(diagnose(functional({called(input(), "x", {})}, R"(["x", 0, 0])", "[]")),
              ElementsAre(HasSubstr("this model has no outputs")));
}

TEST(ConfigErrors, input_layer_that_is_no_input) {
  EXPECT_THAT(
      diagnose(functional({called(input(), "x", {}), called(input("[null, 4]", "y"), "y", {}),
                           dense("d", {tensor("x")})},
                          R"(["x", 0, 0])", R"(["d", 0, 0])")),
      ElementsAre(HasSubstr("layer 'y' (InputLayer) at /config/layers/1: this InputLayer is not "
                            "among the model's inputs")));
}

TEST(ConfigErrors, call_with_a_constant) {
  EXPECT_THAT(diagnose(functional({called(input(), "x", {}), dense("d", {"3.5"})}, R"(["x", 0, 0])",
                                  R"(["d", 0, 0])")),
              ElementsAre(HasSubstr("it is called with something that is no tensor")));
}

TEST(ConfigErrors, missing_layers) {
  EXPECT_THAT(diagnose(R"({"class_name": "Sequential", "config": {"name": "s"}})"),
              ElementsAre(HasSubstr("a model must have a config with layers")));
}

TEST(ConfigErrors, empty_sequential) {
  EXPECT_THAT(diagnose(sequential({input()})),
              ElementsAre(HasSubstr("nothing follows this model's input")));
}

TEST(ConfigErrors, sequential_whose_input_is_unknown) {
  EXPECT_THAT(diagnose(sequential({layer("Dense", "d", R"("units": 2)")})),
              Contains(HasSubstr("this model's input has no shape")));
}

//===--- shapes ----------------------------------------------------------------------------------

TEST(ConfigErrors, dense_on_an_unknown_size) {
  EXPECT_THAT(diagnose(sequential({input("[null, null]"), layer("Dense", "d", R"("units": 2)")})),
              ElementsAre(HasSubstr("the last dimension of its input must have a fixed size")));
}

TEST(ConfigErrors, sums_of_shapes_that_do_not_fit) {
  EXPECT_THAT(
      diagnose(functional({called(input("[null, 4]", "a"), "a", {}),
                           called(input("[null, 3]", "b"), "b", {}),
                           called(layer("Add", "sum"), "sum", {both("a", "b")})},
                          R"([["a", 0, 0], ["b", 0, 0]])", R"([["sum", 0, 0]])")),
      ElementsAre(HasSubstr("layer 'sum' (Add) at /config/layers/2: its inputs have shapes that do "
                            "not fit together: (?, 4) and (?, 3)")));
}

TEST(ConfigErrors, concatenation_of_shapes_that_differ) {
  EXPECT_THAT(diagnose(functional({called(input("[null, 4, 2]", "a"), "a", {}),
                                   called(input("[null, 3, 2]", "b"), "b", {}),
                                   called(layer("Concatenate", "c"), "c", {both("a", "b")})},
                                  R"([["a", 0, 0], ["b", 0, 0]])", R"([["c", 0, 0]])")),
              ElementsAre(HasSubstr("its inputs must have the same sizes but for axis 2")));
}

TEST(ConfigErrors, window_larger_than_the_image) {
  EXPECT_THAT(
      diagnose(sequential({input("[null, 4, 4, 1]"),
                           layer("Conv2D", "c", R"("filters": 2, "kernel_size": [5, 5])")})),
      ElementsAre(HasSubstr("is smaller than its window")));
}

TEST(ConfigErrors, groups_that_do_not_divide_the_channels) {
  EXPECT_THAT(
      diagnose(
          sequential({input("[null, 4, 4, 3]"),
                      layer("Conv2D", "c", R"("filters": 2, "kernel_size": 1, "groups": 2)")})),
      ElementsAre(HasSubstr("its 2 groups must divide its 2 filters and its input's 3 channels")));
}

TEST(ConfigErrors, reshape_that_does_not_fit) {
  EXPECT_THAT(
      diagnose(
          sequential({input("[null, 6]"), layer("Reshape", "r", R"("target_shape": [4, 2])")})),
      ElementsAre(HasSubstr("its input has shape (?, 6), which does not fit into (?, 4, 2)")));
}

TEST(ConfigErrors, axis_out_of_range) {
  EXPECT_THAT(diagnose(sequential({input(), layer("BatchNormalization", "n", R"("axis": 3)")})),
              ElementsAre(HasSubstr("its input has 2 dimensions, so there is no axis 3")));
}

TEST(ConfigErrors, shared_layer_with_inputs_of_different_sizes) {
  EXPECT_THAT(
      diagnose(functional({called(input(), "x", {}), dense("d", {tensor("x"), tensor("d")}, 3)},
                          R"(["x", 0, 0])", R"(["d", 1, 0])")),
      ElementsAre(HasSubstr("its variable 'kernel' can have only one shape")));
}

TEST(ConfigErrors, output_of_a_size_that_no_symbol_is) {
  EXPECT_THAT(diagnose(sequential({input("[null, null, 8, 1]"), layer("MaxPooling2D", "p")})),
              ElementsAre(HasSubstr("the shape of output 'p' depends on unknown input sizes")));
}

TEST(ConfigErrors, variable_of_absurd_size) {
  EXPECT_THAT(diagnose(sequential(
                  {input("[null, 2000000000]"), layer("Dense", "d", R"("units": 2000000000)")})),
              ElementsAre(HasSubstr("its variable 'kernel' would have more than 2^40 elements")));
}

/// Models inside models, each calling the next twice.
std::string doubling(int depth) {
  std::string inner = dense("m", {tensor("x"), tensor("m")});
  for (int i = 0; i < depth; ++i) {
    std::string model =
        functional({called(input(), "x", {}), inner}, R"(["x", 0, 0])", R"(["m", 1, 0])", "m");
    // A nested Functional's own outputs count the call that made it.
    if (i > 0)
      model.replace(model.rfind(R"(["m", 1, 0])"), 11, R"(["m", 2, 0])");
    inner = called(model, "m", {tensor("x"), tensor("m")});
  }
  return functional({called(input(), "x", {}), inner}, R"(["x", 0, 0])", R"(["m", 2, 0])", "m");
}

TEST(ConfigErrors, models_that_expand_without_end) {
  EXPECT_TRUE(succeeded(Importing(doubling(3)).model));
  EXPECT_THAT(diagnose(doubling(20)),
              ElementsAre(HasSubstr("expand to more than 20000 calls of layers")));
}

//===--- text ------------------------------------------------------------------------------------

TEST(ConfigErrors, malformed_json_is_located) {
  EXPECT_THAT(diagnose("{\"class_name\": \"Sequential\",\n \"config\": }"),
              ElementsAre(AllOf(HasSubstr("2:"), HasSubstr("this is no valid JSON"))));
}

TEST(ConfigErrors, truncated_json) {
  std::string text = sequential({input(), layer("Flatten", "f")});
  for (size_t length = 1; length < text.size(); ++length)
    EXPECT_THAT(diagnose(text.substr(0, length)), ElementsAre(HasSubstr("this is no valid JSON")));
}

TEST(ConfigErrors, json_nested_too_deep) {
  EXPECT_THAT(diagnose("{\"a\": " + std::string(100'000, '[')),
              ElementsAre(HasSubstr("nested more than 200 deep")));
}

TEST(ConfigErrors, json_with_too_many_values) {
  std::string text = "{\"a\": [0";
  for (int i = 0; i < 500'000; ++i)
    text += ",0";
  EXPECT_THAT(diagnose(text + "]}"), ElementsAre(HasSubstr("more than 400000 values")));
}

TEST(ConfigErrors, json_that_is_no_model) {
  EXPECT_THAT(diagnose("{\"a\": 1}"), ElementsAre(HasSubstr("this JSON is no Keras model")));
  EXPECT_THAT(diagnose(R"({"class_name": "MyModel", "config": {}})"),
              ElementsAre(HasSubstr("models of class 'MyModel' are not supported")));
}

TEST(ConfigErrors, file_of_another_kind) {
  EXPECT_THAT(diagnose("hello"), ElementsAre(HasSubstr("this is no model that can be read")));
  EXPECT_THAT(diagnose(""), ElementsAre(HasSubstr("this is no model that can be read")));
  EXPECT_THAT(diagnose("\x89HDF\r\n\x1a\n"),
              ElementsAre(HasSubstr("this HDF5 file is truncated or corrupt")));
}

TEST(ConfigErrors, missing_file) {
  mlir::MLIRContext context;
  std::string shown;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    shown = diagnostic.str();
    return mlir::success();
  });
  EXPECT_TRUE(failed(formwork::importModel(context, {"/nonexistent/model.keras", ""})));
  EXPECT_THAT(shown, HasSubstr("cannot open this file"));
}

} // namespace
