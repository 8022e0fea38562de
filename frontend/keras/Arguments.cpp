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

std::string isPair(const Json &value) {
  const Json::Array *elements = value.array();
  bool two = elements && elements->size() == 2 && isSize((*elements)[0]) && isSize((*elements)[1]);
  return two || isSize(value) ? "" : "must be a positive integer or a list of two";
}

std::string isPairOrNull(const Json &value) { return value.isNull() ? "" : isPair(value); }

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

static bool isOneOf(const Json &value, llvm::ArrayRef<llvm::StringRef> choices) {
  const std::string *text = value.string();
  return text && llvm::is_contained(choices, llvm::StringRef(*text));
}

std::string isPadding(const Json &value) {
  return isOneOf(value, {"valid", "same"}) ? "" : "must be \"valid\" or \"same\"";
}

std::string isDataFormat(const Json &value) {
  return isOneOf(value, {"channels_last", "channels_first"})
             ? ""
             : "must be \"channels_last\" or \"channels_first\"";
}

std::string isDataFormatOrNull(const Json &value) {
  return value.isNull() ? "" : isDataFormat(value);
}

//===--- tables ----------------------------------------------------------------------------------

// What every layer has; read by the configuration, not by layers.
static bool isCommon(std::string_view name) {
  return name == "name" || name == "trainable" || name == "dtype";
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

/// Whether the argument is a weight's regularizer or constraint.
bool ArgumentTable::isOfWeight(llvm::StringRef name) const {
  return (name.consume_back("_regularizer") || name.consume_back("_constraint")) &&
         fallback((name + "_initializer").str());
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
    if (!row.check && !(*value == usual) && !isOfWeight(row.name))
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

const Json *Arguments::find(llvm::StringRef name) const {
  const Json *value = config.find(std::string_view(name));
  return value ? value : table.fallback(name);
}

std::array<int64_t, 2> Arguments::pair(llvm::StringRef name) const {
  const Json &value = (*this)[name];
  if (const Json::Array *elements = value.array())
    return {*(*elements)[0].integer(), *(*elements)[1].integer()};
  return {*value.integer(), *value.integer()};
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
