// Reads JSON through nlohmann's SAX parser, which needs no recursion, into values with positions.
#include "frontend/Json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>
#include <limits>

namespace formwork {

// A Keras model of a thousand layers has about a hundred thousand values and nests twenty deep.
static constexpr unsigned maximumDepth = 200;
static constexpr unsigned maximumValues = 400'000;
static constexpr size_t maximumText = size_t(16) << 20;

//===--- values ----------------------------------------------------------------------------------

Json::Json(std::string value, uint32_t offset)
    : data(std::make_unique<std::string>(std::move(value))), begin(offset) {}

Json Json::null(uint32_t offset) {
  Json json;
  json.begin = offset;
  return json;
}

Json Json::array(uint32_t offset) {
  Json json = null(offset);
  json.data = std::make_unique<Array>();
  return json;
}

Json Json::object(uint32_t offset) {
  Json json = null(offset);
  json.data = std::make_unique<Object>();
  return json;
}

std::optional<bool> Json::boolean() const {
  auto *value = std::get_if<bool>(&data);
  return value ? std::optional(*value) : std::nullopt;
}

std::optional<int64_t> Json::integer() const {
  auto *value = std::get_if<int64_t>(&data);
  return value ? std::optional(*value) : std::nullopt;
}

std::optional<double> Json::real() const {
  if (auto *value = std::get_if<double>(&data))
    return *value;
  auto value = integer();
  return value ? std::optional(double(*value)) : std::nullopt;
}

const std::string *Json::string() const {
  auto *value = std::get_if<std::unique_ptr<std::string>>(&data);
  return value ? value->get() : nullptr;
}

const Json::Array *Json::array() const {
  auto *value = std::get_if<std::unique_ptr<Array>>(&data);
  return value ? value->get() : nullptr;
}

const Json::Object *Json::object() const {
  auto *value = std::get_if<std::unique_ptr<Object>>(&data);
  return value ? value->get() : nullptr;
}

const Json *Json::find(std::string_view key) const {
  if (const Object *members = object())
    for (auto member = members->rbegin(); member != members->rend(); ++member)
      if (member->key == key)
        return &member->value;
  return nullptr;
}

std::string_view Json::text(std::string_view key) const {
  const Json *value = find(key);
  const std::string *text = value ? value->string() : nullptr;
  return text ? std::string_view(*text) : std::string_view();
}

bool Json::operator==(const Json &other) const {
  if (real() && other.real())
    return *real() == *other.real();
  if (data.index() != other.data.index())
    return false;
  if (const std::string *text = string())
    return *text == *other.string();
  if (const Array *elements = array())
    return *elements == *other.array();
  if (const Object *members = object()) {
    auto same = [&](const Member &member) {
      const Json *value = other.find(member.key);
      return value && member.value == *value;
    };
    return members->size() == other.object()->size() &&
           std::all_of(members->begin(), members->end(), same);
  }
  return boolean() == other.boolean();
}

//===--- printing --------------------------------------------------------------------------------

static nlohmann::ordered_json toLibrary(const Json &value) {
  if (auto flag = value.boolean())
    return *flag;
  if (auto number = value.integer())
    return *number;
  if (auto number = value.real())
    return *number;
  if (const std::string *text = value.string())
    return *text;
  nlohmann::ordered_json json;
  if (const Json::Array *elements = value.array()) {
    json = nlohmann::ordered_json::array();
    for (const Json &element : *elements)
      json.push_back(toLibrary(element));
  } else if (const Json::Object *members = value.object()) {
    json = nlohmann::ordered_json::object();
    for (const Json::Member &member : *members)
      json[member.key] = toLibrary(member.value);
  }
  return json;
}

std::string Json::print() const { return toLibrary(*this).dump(); }

std::string quotedJson(std::string_view text) { return Json(std::string(text), 0).print(); }

//===--- reading ---------------------------------------------------------------------------------

namespace {
/// Walks the text and leaves its position where the handler below can see it.
struct Cursor {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char *;
  using reference = const char &;

  const char *at;
  const char **seen;

  reference operator*() const { return *at; }
  Cursor &operator++() {
    *seen = ++at;
    return *this;
  }
  bool operator==(const Cursor &other) const { return at == other.at; }
};
} // namespace

/// nlohmann's SAX interface; each method answers whether to go on.
class JsonBuilder {
public:
  JsonBuilder(const char *text) : text(text), at(text) {}

  bool null() { return add(Json::null(here())); }
  bool boolean(bool value) { return add(Json(value, here())); }
  // The reader sees the end of a number only in the character after it.
  bool number_integer(int64_t value) { return add(Json(value, here() - 1)); }
  bool number_unsigned(uint64_t value) {
    if (value > uint64_t(std::numeric_limits<int64_t>::max()))
      return add(Json(double(value), here() - 1));
    return add(Json(int64_t(value), here() - 1));
  }
  bool number_float(double value, const std::string &) { return add(Json(value, here() - 1)); }
  bool string(std::string &value) { return add(Json(std::move(value), here())); }
  bool binary(std::vector<uint8_t> &) { return false; }
  bool start_object(size_t) { return open(Json::object(here() - 1)); }
  bool start_array(size_t) { return open(Json::array(here() - 1)); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string &name) {
    auto &members = *std::get<std::unique_ptr<Json::Object>>(stack.back()->data);
    members.push_back({std::move(name), Json()});
    return true;
  }
  bool parse_error(size_t, const std::string &, const nlohmann::detail::exception &error) {
    std::string_view what = error.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 5: syntax error ..."
    size_t detail = what.find(": ");
    return fail(std::string(detail == what.npos ? what : what.substr(detail + 2)));
  }

  Json root;
  std::optional<JsonError> error;
  const char **position() { return &at; }

private:
  const char *text, *at;
  std::vector<Json *> stack;
  unsigned values = 0;

  uint32_t here() const { return uint32_t(at - text); }

  bool fail(std::string message) {
    error = JsonError{std::move(message), here()};
    return false;
  }

  /// Puts a value where the text has it, and answers where that is; null beyond the limit.
  Json *place(Json value) {
    if (++values > maximumValues) {
      fail("more than " + std::to_string(maximumValues) + " values");
      return nullptr;
    }
    Json *slot = &root;
    if (!stack.empty()) {
      if (auto *elements = std::get_if<std::unique_ptr<Json::Array>>(&stack.back()->data))
        slot = &(*elements)->emplace_back();
      else
        slot = &std::get<std::unique_ptr<Json::Object>>(stack.back()->data)->back().value;
    }
    *slot = std::move(value);
    return slot;
  }

  bool add(Json value) { return place(std::move(value)) != nullptr; }

  bool open(Json container) {
    if (stack.size() == maximumDepth)
      return fail("nested more than " + std::to_string(maximumDepth) + " deep");
    Json *placed = place(std::move(container));
    if (placed)
      stack.push_back(placed);
    return placed;
  }

  bool close() {
    stack.pop_back();
    return true;
  }
};

std::variant<Json, JsonError> parseJson(std::string_view text) {
  if (text.size() > maximumText)
    return JsonError{"larger than " + std::to_string(maximumText >> 20) + " MiB"};
  JsonBuilder builder(text.data());
  Cursor begin{text.data(), builder.position()};
  Cursor end{text.data() + text.size(), builder.position()};
  if (!nlohmann::json::sax_parse(begin, end, &builder))
    return builder.error.value_or(JsonError{"not JSON"});
  return std::move(builder.root);
}

//===--- pointers --------------------------------------------------------------------------------

static std::string escaped(std::string_view key) {
  std::string out;
  for (char c : key)
    out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

std::string pointerTo(const Json &root, const Json &value) {
  std::string pointer;
  const Json *at = &root;
  // Siblings follow each other in the text: the way down is the last child that begins before.
  while (at != &value) {
    const Json *next = nullptr;
    std::string step;
    if (const Json::Array *elements = at->array()) {
      for (size_t i = 0; i < elements->size() && (*elements)[i].offset() <= value.offset(); ++i) {
        next = &(*elements)[i];
        step = std::to_string(i);
      }
    } else if (const Json::Object *members = at->object()) {
      for (const Json::Member &member : *members) {
        if (member.value.offset() > value.offset())
          break;
        next = &member.value;
        step = escaped(member.key);
      }
    }
    if (!next)
      return pointer;
    pointer += "/" + step;
    at = next;
  }
  return pointer;
}

} // namespace formwork
