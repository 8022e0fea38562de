// Layers with windows: what is said about arguments that make no sense or are not supported, and
// about inputs that they do not fit.
#include "tests/frontend/Importing.h"

#include "llvm/Support/FormatVariadic.h"

using namespace formwork::test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace {

/// What is said about a model of one layer 'w'.
std::vector<std::string> diagnose(const char *shape, const char *layer, const char *arguments) {
  return Importing(llvm::formatv(R"({{"module": "keras", "class_name": "Sequential",
    "config": {{"name": "s", "layers": [
      {{"module": "keras.layers", "class_name": "InputLayer",
        "config": {{"name": "x", "batch_shape": {0}, "dtype": "float32"}},
      {{"module": "keras.layers", "class_name": "{1}", "config": {{"name": "w", {2}}}]}})",
                                 shape, layer, arguments))
      .diagnostics;
}

constexpr const char *line = "[null, 9, 2]", *image = "[null, 9, 8, 2]";
constexpr const char *anyImage = "[null, null, null, 2]";

TEST(WindowErrors, sizes_are_one_or_one_for_each_dimension) {
  EXPECT_THAT(diagnose(image, "DepthwiseConv2D", R"("kernel_size": [3, 3, 3])"),
              ElementsAre(HasSubstr("'kernel_size' must be a positive integer or a list of 2")));
  EXPECT_THAT(diagnose(line, "Conv1D", R"("filters": 2, "kernel_size": [3, 3])"),
              ElementsAre(HasSubstr("'kernel_size' must be a positive integer or a list of 1")));
  EXPECT_THAT(diagnose(image, "AveragePooling2D", R"("pool_size": 0)"),
              ElementsAre(HasSubstr("'pool_size' must be a positive integer")));
}

TEST(WindowErrors, only_sequences_are_padded_causally) {
  const char *arguments = R"("filters": 2, "kernel_size": 3, "padding": "causal")";
  EXPECT_THAT(diagnose(line, "Conv1D", arguments), IsEmpty());
  EXPECT_THAT(diagnose(image, "Conv2D", arguments),
              ElementsAre(HasSubstr("'padding' must be \"valid\" or \"same\"")));
  EXPECT_THAT(diagnose(line, "SeparableConv1D", arguments),
              ElementsAre(HasSubstr("'padding' must be \"valid\" or \"same\"")));
}

TEST(WindowErrors, margins_are_one_integer_or_one_or_two_for_each_dimension) {
  EXPECT_THAT(diagnose(image, "ZeroPadding2D", R"("padding": [[1, 2], 3])"), IsEmpty());
  EXPECT_THAT(diagnose(image, "ZeroPadding2D", R"("padding": [1, 2, 3])"),
              ElementsAre(HasSubstr("or a list of 2 such integers or pairs of them")));
  EXPECT_THAT(diagnose(line, "ZeroPadding1D", R"("padding": -1)"),
              ElementsAre(HasSubstr("must be an integer that is not negative, or a list of two")));
}

TEST(WindowErrors, cropping_leaves_something) {
  EXPECT_THAT(diagnose(image, "Cropping2D", R"("cropping": [[4, 5], 0])"),
              ElementsAre(HasSubstr("cropping takes 9 of the 9 elements of dimension 1")));
}

TEST(WindowErrors, other_interpolations_are_refused) {
  EXPECT_THAT(diagnose(image, "UpSampling2D", R"("interpolation": "bicubic")"),
              ElementsAre(HasSubstr("'interpolation' is supported only as")));
}

TEST(WindowErrors, bilinear_interpolation_needs_fixed_sizes) {
  EXPECT_THAT(diagnose(anyImage, "UpSampling2D", R"("interpolation": "bilinear")"),
              ElementsAre(HasSubstr("interpolation \"bilinear\" needs an input of fixed size")));
}

TEST(WindowErrors, strides_with_same_padding_need_fixed_sizes) {
  EXPECT_THAT(diagnose(anyImage, "AveragePooling2D", R"("padding": "same", "strides": 1)"),
              IsEmpty());
  EXPECT_THAT(diagnose(anyImage, "AveragePooling2D", R"("padding": "same")"),
              ElementsAre(HasSubstr("padding \"same\" with strides needs an input of fixed size")));
}

TEST(WindowErrors, windows_are_not_larger_than_the_image) {
  EXPECT_THAT(diagnose(line, "MaxPooling1D", R"("pool_size": 10)"),
              ElementsAre(HasSubstr("is smaller than its window")));
}

} // namespace
