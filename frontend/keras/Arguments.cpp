// Checks of argument values. A message ends the sentence "argument 'x' ...".
#include "frontend/keras/Arguments.h"

#include "frontend/Diagnostics.h"
#include "frontend/keras/Activations.h"
#include "frontend/keras/Initializers.h"

#include "llvm/ADT/STLExtras.h"

namespace formwork::keras {

// Sizes beyond this are no model; products of a few of them still fit 64 bits.
static constexpr int64_t largestSize = int64_t(1) << 31;

//===--- checks ----------------------------------------------------------------------------------

std::string anything(const Json &) { return ""; }

std::string isBoolean(const Json &value) { return value.boolean() ? "" : "must be true or false"; }

std::string isFalse(const Json &value) {
  return value.boolean() == false ? "" : "is supported only as false";
}

std::string isStateless(const Json &value) {
  return value.boolean() == false
             ? ""
             : "is supported only as false: state that outlives a batch is no variable here; have "
               "the layer return its state, and give it back as initial_state";
}

static bool isSize(const Json &value) {
  auto size = value.integer();
  return size && *size > 0 && *size < largestSize;
}

std::string isPositiveInteger(const Json &value) {
  return isSize(value) ? "" : "must be a positive integer below 2^31";
}

std::string isInteger(const Json &value) { return value.integer() ? "" : "must be an integer"; }

std::string isNumber(const Json &value) { return value.real() ? "" : "must be a number"; }

std::string isPositiveNumber(const Json &value) {
  return value.real() && *value.real() > 0 ? "" : "must be a positive number";
}

std::string isRate(const Json &value) {
  auto rate = value.real();
  return rate && *rate >= 0 && *rate < 1 ? "" : "must be at least 0 and less than 1";
}

std::string areSizes(const Json &value, size_t count) {
  const Json::Array *elements = value.array();
  bool list = elements && elements->size() == count && llvm::all_of(*elements, isSize);
  return list || isSize(value) ? ""
                               : "must be a positive integer or a list of " + std::to_string(count);
}

static bool isMargin(const Json &value) {
  auto margin = value.integer();
  return margin && *margin >= 0 && *margin < largestSize;
}

std::string areMarginsOrNull(const Json &value, size_t count) {
  const Json::Array *elements = value.array();
  bool list = elements && elements->size() == count && llvm::all_of(*elements, isMargin);
  return value.isNull() || list || isMargin(value)
             ? ""
             : "must be null, a whole number that is not negative or a list of " +
                   std::to_string(count);
}

static bool areEnds(const Json &value) {
  const Json::Array *elements = value.array();
  return elements && elements->size() == 2 && llvm::all_of(*elements, isMargin);
}

std::string areMargins(const Json &value, size_t count) {
  const Json::Array *elements = value.array();
  if (isMargin(value) || (count == 1 && areEnds(value)))
    return "";
  if (count == 1)
    return "must be an integer that is not negative, or a list of two";
  auto good = [](const Json &element) { return isMargin(element) || areEnds(element); };
  bool list = elements && elements->size() == count && llvm::all_of(*elements, good);
  return list ? ""
              : "must be an integer that is not negative, or a list of " + std::to_string(count) +
                    " such integers or pairs of them";
}

std::string isBatchShape(const Json &value) {
  const Json::Array *elements = value.array();
  bool good = elements && !elements->empty() && elements->size() < 32;
  for (size_t i = 0; good && i < elements->size(); ++i)
    good = (*elements)[i].isNull() || isSize((*elements)[i]);
  return good ? "" : "must be a list of positive sizes or null, the batch first";
}

std::string isTargetShape(const Json &value) {
  const Json::Array *elements = value.array();
  unsigned inferred = 0;
  bool good = elements && elements->size() < 32;
  for (size_t i = 0; good && i < elements->size(); ++i) {
    bool infer = (*elements)[i].integer() == -1;
    inferred += infer;
    good = infer || (*elements)[i].integer() == 0 || isSize((*elements)[i]);
  }
  return good && inferred <= 1 ? "" : "must be a list of sizes, at most one of them -1";
}

std::string isAxis(const Json &value) {
  auto axis = value.integer();
  return axis && *axis > -32 && *axis < 32 ? "" : "must be an axis";
}

std::string isAxisOrAxes(const Json &value) {
  const Json::Array *elements = value.array();
  if (!elements)
    return isAxis(value);
  bool good = !elements->empty() && elements->size() < 32;
  for (size_t i = 0; good && i < elements->size(); ++i)
    good = isAxis((*elements)[i]).empty();
  return good ? "" : "must be an axis or a list of axes";
}

const Json &numbersIn(const Json &value) {
  const Json *config = value.text("class_name") == "__numpy__" ? value.find("config") : nullptr;
  const Json *array = config ? config->find("value") : nullptr;
  return array ? *array : value;
}

/// The lengths of nested lists of numbers, which are equal at each depth; nothing if they are not.
static std::optional<std::vector<size_t>> shapeOf(const Json &value) {
  const Json::Array *elements = value.array();
  if (!elements)
    return value.real() ? std::optional(std::vector<size_t>()) : std::nullopt;
  std::optional<std::vector<size_t>> inner;
  for (const Json &element : *elements) {
    auto shape = shapeOf(element);
    if (!shape || (inner && *inner != *shape))
      return std::nullopt;
    inner = std::move(shape);
  }
  if (inner)
    inner->insert(inner->begin(), elements->size());
  return inner;
}

std::string isNumbers(const Json &value) {
  auto shape = shapeOf(numbersIn(value));
  return shape && shape->size() < 32 ? "" : "must be a number or nested lists of numbers";
}

bool isOneOf(const Json &value, llvm::ArrayRef<llvm::StringRef> choices) {
  const std::string *text = value.string();
  return text && llvm::is_contained(choices, llvm::StringRef(*text));
}

std::string isPadding(const Json &value) {
  return isOneOf(value, {"valid", "same"}) ? "" : "must be \"valid\" or \"same\"";
}

std::string isPaddingOrCausal(const Json &value) {
  return isOneOf(value, {"valid", "same", "causal"}) ? ""
                                                     : "must be \"valid\", \"same\" or \"causal\"";
}

std::string isInterpolation(const Json &value) {
  return isOneOf(value, {"nearest", "bilinear"})
             ? ""
             : "is supported only as \"nearest\" or \"bilinear\"";
}

std::string isDataFormat(const Json &value) {
  return isOneOf(value, {"channels_last", "channels_first"})
             ? ""
             : "must be \"channels_last\" or \"channels_first\"";
}

std::string isDataFormatOrNull(const Json &value) {
  return value.isNull() ? "" : isDataFormat(value);
}

std::string isLayer(const Json &value) { return value.object() ? "" : "must be a layer"; }

//===--- tables ----------------------------------------------------------------------------------

// What every layer has; read by the configuration, not by layers.
static bool isCommon(std::string_view name) {
  return name == "name" || name == "trainable" || name == "dtype" || name == "activity_regularizer";
}

ArgumentTable::ArgumentTable(llvm::ArrayRef<Argument> rows) : rows(rows) {
  for (const Argument &row : rows)
    fallbacks.push_back(
        row.fallback.empty() ? Json() : std::get<Json>(parseJson(std::string_view(row.fallback))));
}

const Json *ArgumentTable::fallback(llvm::StringRef name) const {
  for (auto [row, value] : llvm::zip_equal(rows, fallbacks))
    if (row.name == name)
      return &value;
  return nullptr;
}

std::vector<ArgumentTable::Problem> ArgumentTable::check(const Json &config) const {
  std::vector<Problem> problems;
  if (const Json::Object *members = config.object())
    for (const Json::Member &member : *members)
      if (!isCommon(member.key) && !fallback(member.key))
        problems.push_back({&member.value, "argument " + quoted(member.key) + " is unknown"});
  for (auto [row, usual] : llvm::zip_equal(rows, fallbacks)) {
    const Json *value = config.find(std::string_view(row.name));
    std::string prefix = "argument '" + row.name.str() + "' ";
    if (!value && row.fallback.empty())
      problems.push_back({&config, prefix + "is missing"});
    if (!value)
      continue;
    std::string problem = row.check ? row.check(*value) : "";
    if (!row.check && !(*value == usual))
      problem = "is not supported; only " + row.fallback.str() + " is";
    if (!problem.empty())
      problems.push_back({value, prefix + problem});
  }
  return problems;
}

const Json &Arguments::operator[](llvm::StringRef name) const {
  const Json *value = config.find(std::string_view(name));
  return value ? *value : *table.fallback(name);
}

std::vector<int64_t> Arguments::sizes(llvm::StringRef name, size_t count) const {
  std::vector<int64_t> given = integers(name);
  return given.size() == 1 ? std::vector<int64_t>(count, given[0]) : given;
}

const Json *Arguments::find(llvm::StringRef name) const {
  const Json *value = config.find(std::string_view(name));
  return value ? value : table.fallback(name);
}

std::vector<int64_t> Arguments::margins(llvm::StringRef name, size_t count) const {
  const Json &value = (*this)[name];
  std::vector<int64_t> ends;
  auto add = [&](const Json &one) {
    const Json::Array *pair = one.array();
    for (size_t end : {0, 1})
      ends.push_back(pair ? *(*pair)[end].integer() : *one.integer());
  };
  if (count == 1 || !value.array())
    for (size_t i = 0; i < count; ++i)
      add(value);
  else
    for (const Json &one : *value.array())
      add(one);
  return ends;
}

std::vector<int64_t> Arguments::integers(llvm::StringRef name) const {
  const Json &value = (*this)[name];
  if (auto one = value.integer())
    return {*one};
  std::vector<int64_t> all;
  for (const Json &element : *value.array())
    all.push_back(*element.integer());
  return all;
}

} // namespace formwork::keras
