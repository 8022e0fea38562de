// NumPy's .npy format; see Npy.h.
#include "runtime/data/Npy.h"

#include "runtime/Descriptor.h"
#include "runtime/Error.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

namespace formwork::runtime {

static constexpr std::string_view magic("\x93NUMPY", 6);

bool isNpy(std::span<const std::byte> bytes) {
  return bytes.size() >= magic.size() && !memcmp(bytes.data(), magic.data(), magic.size());
}

namespace {
/// What a header says: a Python dictionary of three entries.
struct Header {
  std::string descr;
  bool fortranOrder = false;
  std::vector<int64_t> shape;
};

/// Reads just enough of Python's literals for that dictionary. Every step returns whether it could.
class HeaderParser {
public:
  explicit HeaderParser(std::string_view words) : rest(words) {}

  bool parse(Header &header) {
    if (!take('{'))
      return false;
    int seen = 0;
    while (!take('}')) {
      std::string key;
      if (!quoted(key) || !take(':') || !value(key, header))
        return false;
      ++seen;
      if (!take(',') && peek() != '}')
        return false;
    }
    return seen == 3;
  }

private:
  bool value(const std::string &key, Header &header) {
    if (key == "descr")
      return quoted(header.descr);
    if (key == "fortran_order") {
      header.fortranOrder = word("True");
      return header.fortranOrder || word("False");
    }
    return key == "shape" && tuple(header.shape);
  }

  bool tuple(std::vector<int64_t> &sizes) {
    if (!take('('))
      return false;
    while (!take(')')) {
      int64_t size = 0;
      skip();
      auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), size);
      if (error != std::errc() || size < 0 || sizes.size() == 32)
        return false;
      rest.remove_prefix(end - rest.data());
      sizes.push_back(size);
      if (!take(',') && peek() != ')')
        return false;
    }
    return true;
  }

  bool quoted(std::string &result) {
    char quote = peek();
    if (quote != '\'' && quote != '"')
      return false;
    size_t end = rest.find(quote, 1);
    if (end == std::string_view::npos)
      return false;
    result = rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
    return true;
  }

  bool word(std::string_view expected) {
    skip();
    if (rest.substr(0, expected.size()) != expected)
      return false;
    rest.remove_prefix(expected.size());
    return true;
  }
  bool take(char expected) { return word({&expected, 1}); }
  char peek() {
    skip();
    return rest.empty() ? '\0' : rest.front();
  }
  void skip() {
    while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\n'))
      rest.remove_prefix(1);
  }

  std::string_view rest;
};
} // namespace

//===--- element types ---------------------------------------------------------------------------

static constexpr struct {
  const char *descr;
  ElementType type;
} descrs[] = {
    {"b1", ElementType::Bool}, {"i1", ElementType::I8},  {"i2", ElementType::I16},
    {"i4", ElementType::I32},  {"i8", ElementType::I64}, {"u1", ElementType::U8},
    {"u2", ElementType::U16},  {"u4", ElementType::U32}, {"u8", ElementType::U64},
    {"f2", ElementType::F16},  {"f4", ElementType::F32}, {"f8", ElementType::F64},
};

static std::optional<ElementType> parseDescr(std::string_view descr) {
  if (descr.empty() || !strchr("<>|=", descr.front()))
    return std::nullopt;
  for (auto [name, type] : descrs)
    if (descr.substr(1) == name)
      return type;
  return std::nullopt;
}

static std::string whyNot(const std::string &descr) {
  if (descr.find('O') != std::string::npos)
    return "Python objects, which are programs and are never run; save numbers instead "
           "(array.astype(\"float32\"))";
  if (descr.find('U') != std::string::npos || descr.find('S') != std::string::npos)
    return "text; encode it as numbers first";
  return "elements of type " + quoted(descr) +
         ", which no model takes; convert them to float32 or int64";
}

//===--- layout ----------------------------------------------------------------------------------

static void swapBytes(std::byte *data, int64_t count, int64_t size) {
  for (int64_t i = 0; i < count; ++i)
    std::reverse(data + i * size, data + (i + 1) * size);
}

/// Copies a column-major array to row-major order.
static void transpose(const std::byte *from, std::byte *to, const std::vector<int64_t> &shape,
                      int64_t size) {
  std::vector<int64_t> index(shape.size(), 0), stride(shape.size(), size);
  for (size_t i = 1; i < shape.size(); ++i)
    stride[i] = stride[i - 1] * shape[i - 1];
  int64_t count = elementCount(shape, "array");
  int64_t offset = 0;
  for (int64_t done = 0; done < count; ++done, to += size) {
    memcpy(to, from + offset, size);
    for (size_t axis = shape.size(); axis-- > 0;) {
      offset += stride[axis];
      if (++index[axis] < shape[axis])
        break;
      offset -= stride[axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

/// Gives the array its own native, row-major copy.
static void makeNative(Array &array, bool fortranOrder, bool swapped) {
  auto copy = std::make_shared<std::vector<std::byte>>(array.bytes());
  if (fortranOrder)
    transpose(array.data, copy->data(), array.shape, elementSize(array.type));
  else if (!copy->empty())
    memcpy(copy->data(), array.data, copy->size());
  if (swapped)
    swapBytes(copy->data(), array.count(), elementSize(array.type));
  array.data = copy->data();
  array.owner = copy;
}

//===--- reading and writing ---------------------------------------------------------------------

/// The dictionary's text and where the elements begin; nothing if the file is cut short.
static std::optional<std::pair<std::string_view, size_t>>
locateHeader(std::span<const std::byte> bytes) {
  if (!isNpy(bytes) || bytes.size() < 10)
    return std::nullopt;
  auto at = [&](size_t i) { return size_t(bytes[i]); };
  bool wide = at(6) >= 2;
  size_t begin = wide ? 12 : 10;
  if (at(6) < 1 || at(6) > 3 || bytes.size() < begin)
    return std::nullopt;
  size_t length = at(8) | at(9) << 8;
  if (wide)
    length |= at(10) << 16 | at(11) << 24;
  if (bytes.size() - begin < length)
    return std::nullopt;
  return std::pair(std::string_view(reinterpret_cast<const char *>(bytes.data()) + begin, length),
                   begin + length);
}

Array readNpy(const FileBytes &content, const std::string &file, const std::string &name) {
  auto where = text("%s: array %s", file.c_str(), quoted(name).c_str());
  auto located = locateHeader(content.bytes);
  Header header;
  if (!located || !HeaderParser(located->first).parse(header))
    throw Error(text("%s: not a NumPy array: its header is damaged or cut short; write it again "
                     "with numpy.save or numpy.savez",
                     where.c_str()));
  std::optional<ElementType> type = parseDescr(header.descr);
  if (!type)
    throw Error(text("%s: holds %s", where.c_str(), whyNot(header.descr).c_str()));
  Array array{file,         name, *type, header.shape, content.bytes.data() + located->second,
              content.owner};
  int64_t expected = elementCount(array.shape, where.c_str());
  int64_t present = int64_t(content.bytes.size() - located->second);
  if (expected > present / elementSize(array.type))
    throw Error(text("%s: is cut short: %s needs %lld bytes, the file holds %lld", where.c_str(),
                     array.describe().c_str(), (long long)(expected * elementSize(array.type)),
                     (long long)present));
  bool swapped = header.descr.front() == '>' && elementSize(array.type) > 1;
  bool reorder = header.fortranOrder && array.shape.size() > 1;
  if (swapped || reorder)
    makeNative(array, reorder, swapped);
  return array;
}

std::string npyHeader(const Array &array) {
  std::string dictionary = "{'descr': '";
  dictionary += elementSize(array.type) == 1 ? '|' : '<';
  for (auto [name, type] : descrs)
    if (type == array.type)
      dictionary += name;
  dictionary += "', 'fortran_order': False, 'shape': (";
  for (int64_t size : array.shape)
    dictionary += text("%lld,", (long long)size);
  dictionary += "), }";
  size_t unpadded = magic.size() + 4 + dictionary.size() + 1;
  dictionary.append((64 - unpadded % 64) % 64, ' ');
  dictionary += '\n';
  std::string header(magic);
  header += {'\x01', '\0', char(dictionary.size() & 255), char(dictionary.size() >> 8)};
  return header + dictionary;
}

} // namespace formwork::runtime
