// The arguments of a Keras layer: which there are, which values are supported, what they are when
// the file leaves them out.
#pragma once

#include "frontend/Json.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <string>
#include <vector>

namespace formwork::keras {

/// Says what is wrong with a value, and what would be right; "" if nothing is.
using Check = std::string (*)(const Json &value);

/// One row of a layer's table.
struct Argument {
  llvm::StringLiteral name;
  Check check;
  /// Keras's default as JSON; "" if the argument must be given.
  llvm::StringLiteral fallback;
};

/// Any value but the row's fallback is refused: for what does not exist yet (LoRA).
inline constexpr Check onlyDefault = nullptr;
/// Any value: for what does not change the meaning (use_cudnn, unroll, seed).
std::string anything(const Json &value);
/// A regularizer or a constraint of the weight that has an initializer of the same stem, with which
/// LayerCall::weight takes it along. What it names is checked where training is attached.
inline std::string ofWeight(const Json &) { return ""; }

std::string isBoolean(const Json &value);
std::string isFalse(const Json &value);
/// Of recurrent layers that would keep their state from batch to batch.
std::string isStateless(const Json &value);
std::string isPositiveInteger(const Json &value);
std::string isInteger(const Json &value);
std::string isNumber(const Json &value);
std::string isPositiveNumber(const Json &value);
/// A fraction to drop: at least 0, below 1.
std::string isRate(const Json &value);
/// One positive integer, or a list of `count`: the sizes of windows, strides.
std::string areSizes(const Json &value, size_t count);
std::string areMarginsOrNull(const Json &value, size_t count);
template <size_t count> std::string areSizes(const Json &value) { return areSizes(value, count); }
template <size_t count> std::string areMarginsOrNull(const Json &value) {
  return areMarginsOrNull(value, count);
}
template <size_t count> std::string areSizesOrNull(const Json &value) {
  return value.isNull() ? "" : areSizes(value, count);
}
/// What is added to or taken from both ends of `count` dimensions: one integer for all, or a list
/// of one for each, or of two for each. Of a single dimension a list is its two ends.
std::string areMargins(const Json &value, size_t count);
template <size_t count> std::string areMargins(const Json &value) {
  return areMargins(value, count);
}
/// Sizes with the batch first; null where any size goes.
std::string isBatchShape(const Json &value);
std::string isTargetShape(const Json &value);
std::string isAxis(const Json &value);
std::string isAxisOrAxes(const Json &value);
/// A number, a list of numbers, lists of such of equal lengths, or a NumPy array of them.
std::string isNumbers(const Json &value);
/// Those numbers without what says that they were an array.
const Json &numbersIn(const Json &value);
/// Whether it is a string, and one of these.
bool isOneOf(const Json &value, llvm::ArrayRef<llvm::StringRef> choices);
std::string isPadding(const Json &value);
std::string isPaddingOrCausal(const Json &value);
std::string isInterpolation(const Json &value);
std::string isDataFormat(const Json &value);
std::string isDataFormatOrNull(const Json &value);
std::string isActivation(const Json &value);
std::string isInitializer(const Json &value);
/// Of wrappers; what the layer is itself is checked where it is read.
std::string isLayer(const Json &value);

/// A layer's table with its fallbacks parsed.
class ArgumentTable {
public:
  ArgumentTable(llvm::ArrayRef<Argument> rows);

  struct Problem {
    const Json *value;
    std::string message;
  };
  /// Everything that is wrong with the arguments in `config`.
  std::vector<Problem> check(const Json &config) const;

  const Json *fallback(llvm::StringRef name) const;

private:
  llvm::ArrayRef<Argument> rows;
  std::vector<Json> fallbacks;
};

/// The arguments of one layer, complete. The getters expect what the table has approved.
class Arguments {
public:
  /// Both must outlive this.
  Arguments(const Json &config, const ArgumentTable &table) : config(config), table(table) {}

  const Json &operator[](llvm::StringRef name) const;
  /// Null if the layer has no such argument.
  const Json *find(llvm::StringRef name) const;
  bool flag(llvm::StringRef name) const { return *(*this)[name].boolean(); }
  int64_t integer(llvm::StringRef name) const { return *(*this)[name].integer(); }
  double number(llvm::StringRef name) const { return *(*this)[name].real(); }
  llvm::StringRef text(llvm::StringRef name) const { return *(*this)[name].string(); }
  /// An integer stands for all `count`.
  std::vector<int64_t> sizes(llvm::StringRef name, size_t count) const;
  /// Before and after each of `count` dimensions.
  std::vector<int64_t> margins(llvm::StringRef name, size_t count) const;
  std::vector<int64_t> integers(llvm::StringRef name) const;

private:
  const Json &config;
  const ArgumentTable &table;
};

} // namespace formwork::keras
