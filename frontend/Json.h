// JSON whose values know where in the text they stood, for diagnostics that point at them.
//
// The reader is bounded: nesting, the number of values and the size of the text are limited before
// anything is built from them, and a malformed text is an answer, not an exception.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace formwork {

class Json {
public:
  struct Member;
  using Array = std::vector<Json>;
  using Object = std::vector<Member>;

  Json() = default;
  Json(bool value, uint32_t offset) : data(value), begin(offset) {}
  Json(int64_t value, uint32_t offset) : data(value), begin(offset) {}
  Json(double value, uint32_t offset) : data(value), begin(offset) {}
  Json(std::string value, uint32_t offset);
  static Json null(uint32_t offset);
  static Json array(uint32_t offset);
  static Json object(uint32_t offset);

  bool isNull() const { return std::holds_alternative<std::monostate>(data); }
  /// The value if it is of that kind, nothing otherwise. A number without a fraction counts as an
  /// integer only if it was written as one; any number counts as a real.
  std::optional<bool> boolean() const;
  std::optional<int64_t> integer() const;
  std::optional<double> real() const;
  const std::string *string() const;
  const Array *array() const;
  const Object *object() const;

  /// The member of that name; of several the last, as in Python. Null if there is none, or if this
  /// is no object.
  const Json *find(std::string_view key) const;
  /// The string member of that name, or "".
  std::string_view text(std::string_view key) const;

  /// Bytes from the start of the text: a container's bracket, just after a scalar.
  uint32_t offset() const { return begin; }
  bool operator==(const Json &other) const;
  /// As compact JSON.
  std::string print() const;

private:
  friend class JsonBuilder;
  std::variant<std::monostate, bool, int64_t, double, std::unique_ptr<std::string>,
               std::unique_ptr<Array>, std::unique_ptr<Object>>
      data;
  uint32_t begin = 0;
};

struct Json::Member {
  std::string key;
  Json value;
};

/// What is wrong with a text, and where.
struct JsonError {
  std::string message;
  uint32_t offset = 0;
};

/// Reads one JSON value that fills the text.
std::variant<Json, JsonError> parseJson(std::string_view text);

/// A string as JSON writes it.
std::string quotedJson(std::string_view text);

/// The RFC 6901 pointer from `root` to `value`, which must be in it.
std::string pointerTo(const Json &root, const Json &value);

} // namespace formwork
