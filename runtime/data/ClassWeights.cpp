// From labels to weights (class_weight_to_sample_weights in
// keras/src/trainers/data_adapters/data_adapter_utils.py); see ClassWeights.h.
#include "runtime/data/ClassWeights.h"

#include "runtime/Error.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace formwork::runtime {

//===--- reading ----------------------------------------------------------------------------------

static std::string_view trim(std::string_view words) {
  size_t first = words.find_first_not_of(" \t\n\r");
  if (first == words.npos)
    return {};
  return words.substr(first, words.find_last_not_of(" \t\n\r") + 1 - first);
}

/// What is between the two, if they are there.
static std::string_view within(std::string_view words, char first, char last) {
  words = trim(words);
  if (words.size() >= 2 && words.front() == first && words.back() == last)
    words = trim(words.substr(1, words.size() - 2));
  return words;
}

static bool readLabel(std::string_view words, int64_t &label) {
  auto [stop, error] = std::from_chars(words.data(), words.data() + words.size(), label);
  return error == std::errc() && stop == words.data() + words.size();
}

static bool readWeight(const std::string &words, double &weight) {
  char *stop = nullptr;
  weight = strtod(words.c_str(), &stop);
  return !words.empty() && !*stop && std::isfinite(weight);
}

ClassWeights parseClassWeights(const std::string &words) {
  ClassWeights weights;
  std::string_view rest = within(words, '{', '}');
  while (true) {
    std::string_view item = rest.substr(0, rest.find(','));
    size_t colon = item.find(':');
    int64_t label = 0;
    double weight = 0;
    if (colon == item.npos || !readLabel(within(item.substr(0, colon), '"', '"'), label) ||
        !readWeight(std::string(trim(item.substr(colon + 1))), weight))
      throw Error(
          text("%s is no weight of a class: a label, which is a whole number, a colon and a "
               "number are expected, as in 0:1,1:2.5",
               quoted(std::string(trim(item))).c_str()));
    if (!weights.emplace(label, weight).second)
      throw Error(text("the label %lld has two weights: give it one", (long long)label));
    if (item.size() == rest.size())
      return weights;
    rest.remove_prefix(item.size() + 1);
  }
}

//===--- use --------------------------------------------------------------------------------------

/// The only column of a role.
static Column &onlyColumn(Dataset &data, int32_t role, const char *otherwise) {
  Column *found = nullptr;
  for (Column &column : data.columns)
    if (column.tensor->role == role) {
      if (found)
        throw Error("weights of classes are for models with a single output: give weights of "
                    "samples, one array for each output");
      found = &column;
    }
  if (!found)
    throw Error(otherwise);
  return *found;
}

static void checkLabels(const Column &target) {
  const std::vector<int64_t> &sizes = target.array.shape;
  bool isIndex = target.tensor->dtype == FORMWORK_I32 || target.tensor->dtype == FORMWORK_I64;
  if (sizes.size() == 1 || (sizes.size() == 2 && (!isIndex || sizes[1] == 1)))
    return;
  throw Error(
      text("%s: weights of classes need one label for each sample, and array %s is %s: give "
           "weights of samples instead",
           target.array.file.c_str(), quoted(target.array.name).c_str(),
           target.array.describe().c_str()));
}

/// The label of a row of numbers: the only one, rounded, or the place of the largest.
static int64_t labelOf(const std::vector<double> &numbers) {
  if (numbers.size() == 1)
    return int64_t(std::nearbyint(numbers.front()));
  return std::max_element(numbers.begin(), numbers.end()) - numbers.begin();
}

void applyClassWeights(Dataset &data, const ClassWeights &weights, int64_t rows) {
  Column &column = onlyColumn(data, FORMWORK_SAMPLE_WEIGHT,
                              "the model was compiled without weights of samples, which those of "
                              "classes are: compile it with --sample-weights");
  if (column.given)
    throw Error(text("%s: array %s has weights of samples, and there are weights of classes too: "
                     "Keras takes one or the other",
                     column.array.file.c_str(), quoted(column.array.name).c_str()));
  const Column &target =
      onlyColumn(data, FORMWORK_TARGET, "weights of classes need labels: the model has no target");
  checkLabels(target);
  auto values = std::make_shared<std::vector<double>>(data.rows, 1.0);
  std::vector<double> numbers(target.rowElements);
  Convert *convert = converter(target.array.type, ElementType::F64);
  for (int64_t row = 0; row < rows; ++row) {
    convert(target.row(row), reinterpret_cast<std::byte *>(numbers.data()), target.rowElements);
    if (auto found = weights.find(labelOf(numbers)); found != weights.end())
      (*values)[row] = found->second;
  }
  column.array.data = reinterpret_cast<const std::byte *>(values->data());
  column.array.owner = values;
}

} // namespace formwork::runtime
