// The safetensors format; see Safetensors.h.
#include "runtime/io/Safetensors.h"

#include "runtime/Descriptor.h"
#include "runtime/Error.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

namespace formwork::runtime {

static constexpr struct {
  const char *name;
  ElementType type;
} typeNames[] = {
    {"BOOL", ElementType::Bool}, {"I8", ElementType::I8},   {"I16", ElementType::I16},
    {"I32", ElementType::I32},   {"I64", ElementType::I64}, {"U8", ElementType::U8},
    {"U16", ElementType::U16},   {"U32", ElementType::U32}, {"U64", ElementType::U64},
    {"F16", ElementType::F16},   {"F32", ElementType::F32}, {"F64", ElementType::F64},
};

const Array *Safetensors::find(const std::string &name) const {
  for (const Array &array : arrays)
    if (array.name == name)
      return &array;
  return nullptr;
}

std::string Safetensors::note(const std::string &key) const {
  for (auto &[name, value] : metadata)
    if (name == key)
      return value;
  return "";
}

//===--- reading ----------------------------------------------------------------------------------

namespace {
/// Reads the header: JSON, of which only objects of the format's own shape are understood. Every
/// step returns whether it could.
class HeaderParser {
public:
  HeaderParser(std::string_view header, std::span<const std::byte> data, const FileBytes &content,
               const std::string &file)
      : rest(header), data(data), content(content), file(file) {}

  bool parse(Safetensors &result) {
    bool ok = object([&](const std::string &key) {
      if (key == "__metadata__")
        return object([&](const std::string &name) {
          std::string value;
          if (!string(value))
            return false;
          result.metadata.emplace_back(name, std::move(value));
          return true;
        });
      Array array;
      array.name = key;
      if (result.find(key) || !entry(array))
        return false;
      result.arrays.push_back(std::move(array));
      return true;
    });
    skip();
    return ok && rest.empty() && rangesAreApart();
  }

private:
  bool entry(Array &array) {
    std::vector<int64_t> range;
    std::optional<ElementType> type;
    bool ok = object([&](const std::string &key) {
      if (key == "dtype")
        return dtype(type);
      return key == "shape" ? numbers(array.shape) : key == "data_offsets" && numbers(range);
    });
    if (!ok || !type || range.size() != 2 || range[0] > range[1] ||
        uint64_t(range[1]) > data.size())
      return false;
    array.file = file;
    array.type = *type;
    array.data = data.data() + range[0];
    array.owner = content.owner;
    ranges.emplace_back(range[0], range[1]);
    int64_t count = elementCount(
        array.shape, text("%s: array %s", file.c_str(), quoted(array.name).c_str()).c_str());
    return count == (range[1] - range[0]) / elementSize(array.type) &&
           (range[1] - range[0]) % elementSize(array.type) == 0;
  }

  bool dtype(std::optional<ElementType> &type) {
    std::string name;
    if (!string(name))
      return false;
    for (auto known : typeNames)
      if (name == known.name)
        type = known.type;
    return true;
  }

  bool rangesAreApart() {
    std::sort(ranges.begin(), ranges.end());
    for (size_t i = 1; i < ranges.size(); ++i)
      if (ranges[i].first < ranges[i - 1].second)
        return false;
    return true;
  }

  template <typename Member> bool object(Member member) {
    if (!take('{'))
      return false;
    if (take('}'))
      return true;
    do {
      std::string key;
      if (!string(key) || !take(':') || !member(key))
        return false;
    } while (take(','));
    return take('}');
  }

  bool numbers(std::vector<int64_t> &result) {
    if (!take('[') || !result.empty())
      return false;
    if (take(']'))
      return true;
    do {
      int64_t number = 0;
      skip();
      auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
      if (error != std::errc() || number < 0 || result.size() == 32)
        return false;
      rest.remove_prefix(end - rest.data());
      result.push_back(number);
    } while (take(','));
    return take(']');
  }

  bool string(std::string &result) {
    if (!take('"'))
      return false;
    while (!rest.empty() && rest.front() != '"') {
      char c = rest.front();
      rest.remove_prefix(1);
      if (uint8_t(c) < 0x20)
        return false;
      if (c != '\\')
        result += c;
      else if (!escape(result))
        return false;
    }
    if (rest.empty())
      return false;
    rest.remove_prefix(1);
    return true;
  }

  bool escape(std::string &result) {
    static constexpr std::string_view written = "\"\\/bfnrt", meant = "\"\\/\b\f\n\r\t";
    if (rest.empty())
      return false;
    char c = rest.front();
    rest.remove_prefix(1);
    if (c == 'u')
      return unicode(result);
    size_t which = written.find(c);
    if (which != std::string_view::npos)
      result += meant[which];
    return which != std::string_view::npos;
  }

  bool fourDigits(uint32_t &number) {
    if (rest.size() < 4)
      return false;
    auto [end, error] = std::from_chars(rest.data(), rest.data() + 4, number, 16);
    bool all = error == std::errc() && end == rest.data() + 4;
    rest.remove_prefix(4);
    return all;
  }

  /// A code point, of which large ones are written as two: into UTF-8.
  bool unicode(std::string &result) {
    uint32_t point = 0, low = 0;
    if (!fourDigits(point))
      return false;
    if (point >= 0xd800 && point < 0xe000) {
      if (point >= 0xdc00 || rest.substr(0, 2) != "\\u")
        return false;
      rest.remove_prefix(2);
      if (!fourDigits(low) || low < 0xdc00 || low >= 0xe000)
        return false;
      point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    }
    int more = point < 0x80 ? 0 : point < 0x800 ? 1 : point < 0x10000 ? 2 : 3; // bytes
    static constexpr uint8_t first[] = {0, 0xc0, 0xe0, 0xf0};
    result += char(first[more] | point >> 6 * more);
    while (more-- > 0)
      result += char(0x80 | (point >> 6 * more & 63));
    return true;
  }

  bool take(char expected) {
    skip();
    if (rest.empty() || rest.front() != expected)
      return false;
    rest.remove_prefix(1);
    return true;
  }
  void skip() {
    while (!rest.empty() && strchr(" \n\r\t", rest.front()))
      rest.remove_prefix(1);
  }

  std::string_view rest;
  std::span<const std::byte> data;
  const FileBytes &content;
  const std::string &file;
  std::vector<std::pair<int64_t, int64_t>> ranges;
};
} // namespace

Safetensors readSafetensors(const FileBytes &content, const std::string &file) {
  uint64_t size = 0;
  std::span bytes = content.bytes;
  if (bytes.size() >= 8)
    memcpy(&size, bytes.data(), 8);
  if (bytes.size() < 8 || size > bytes.size() - 8)
    throw Error(text("%s: is neither a Keras archive nor a safetensors file, or is cut short",
                     file.c_str()));
  std::string_view header(reinterpret_cast<const char *>(bytes.data()) + 8, size);
  Safetensors result;
  if (!HeaderParser(header, bytes.subspan(8 + size), content, file).parse(result))
    throw Error(text("%s: is not a sound safetensors file: its header is damaged, or says what the "
                     "file does not hold",
                     file.c_str()));
  return result;
}

//===--- writing ----------------------------------------------------------------------------------

static std::string quote(const std::string &words) {
  std::string result = "\"";
  for (char c : words) {
    if (c == '"' || c == '\\')
      result += '\\';
    result += uint8_t(c) >= 0x20 ? std::string(1, c) : text("\\u%04x", unsigned(c));
  }
  return result + "\"";
}

static const char *typeName(ElementType type) {
  for (auto known : typeNames)
    if (known.type == type)
      return known.name;
  return "";
}

static std::string makeHeader(const Safetensors &content) {
  std::string header = "{\"__metadata__\":{";
  for (size_t i = 0; i < content.metadata.size(); ++i)
    header +=
        (i ? "," : "") + quote(content.metadata[i].first) + ":" + quote(content.metadata[i].second);
  header += "}";
  int64_t offset = 0;
  for (const Array &array : content.arrays) {
    int64_t end = offset + array.bytes();
    header += text(",%s:{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%lld,%lld]}",
                   quote(array.name).c_str(), typeName(array.type),
                   describeShape(array.shape).c_str(), (long long)offset, (long long)end);
    offset = end;
  }
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');
  return header;
}

void writeSafetensors(const Safetensors &content,
                      const std::function<void(std::span<const std::byte>)> &write) {
  std::string header = makeHeader(content);
  uint64_t size = header.size();
  write(std::as_bytes(std::span(&size, 1)));
  write(std::as_bytes(std::span(header)));
  for (const Array &array : content.arrays)
    write({array.data, size_t(array.bytes())});
}

} // namespace formwork::runtime
