// Comma-separated numbers; see Csv.h.
#include "runtime/data/Csv.h"

#include "runtime/Error.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string_view>

namespace formwork::runtime {

static constexpr size_t mostMistakes = 20, longestNumber = 64, highestRank = 8,
                        mostColumns = 100'000;

bool isCsv(std::span<const std::byte> bytes) {
  bytes = bytes.first(std::min<size_t>(bytes.size(), 512));
  return !bytes.empty() && std::all_of(bytes.begin(), bytes.end(), [](std::byte b) {
    return b >= std::byte(' ') || b == std::byte('\t') || b == std::byte('\n') ||
           b == std::byte('\r');
  });
}

//===--- lines and fields ------------------------------------------------------------------------

static std::string_view trim(std::string_view words) {
  size_t begin = words.find_first_not_of(" \t"), end = words.find_last_not_of(" \t");
  return begin == words.npos ? std::string_view() : words.substr(begin, end - begin + 1);
}

/// Takes the next line, without its end, off the text.
static std::string_view takeLine(std::string_view &rest) {
  size_t end = std::min(rest.find('\n'), rest.size());
  std::string_view line = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  if (line.ends_with('\r'))
    line.remove_suffix(1);
  return line;
}

namespace {
/// Takes the fields of a line one by one.
class Fields {
public:
  explicit Fields(std::string_view line) : rest(line) {}

  /// Whether there was another one.
  bool next(std::string &field) {
    if (done)
      return false;
    field.clear();
    size_t begin = std::min(rest.find_first_not_of(" \t"), rest.size());
    if (rest.substr(begin).starts_with('"'))
      takeQuoted(field, begin + 1);
    size_t comma = rest.find(',');
    field += trim(rest.substr(0, comma));
    done = comma == rest.npos;
    rest.remove_prefix(done ? rest.size() : comma + 1);
    return true;
  }

private:
  /// A quote within quotes is written twice.
  void takeQuoted(std::string &field, size_t at) {
    for (; at < rest.size(); ++at) {
      if (rest[at] == '"' && !rest.substr(at + 1).starts_with('"'))
        break;
      at += rest[at] == '"';
      field += rest[at];
    }
    rest.remove_prefix(std::min(at + 1, rest.size()));
  }

  std::string_view rest;
  bool done = false;
};

/// An array in the making.
struct Group {
  std::string name;
  std::vector<int64_t> shape; // of one sample
  int64_t elements = 0;       // columns, of one sample
  bool whole = true;          // numbers so far are int64, otherwise double
  std::shared_ptr<std::vector<int64_t>> values;
};

/// Where the numbers of a column go.
struct Column {
  size_t group = 0;
  std::vector<int64_t> index; // the numbers in brackets
  int64_t element = 0;        // of a sample
};

class CsvReader {
public:
  CsvReader(const FileBytes &content, const std::string &file)
      : rest(reinterpret_cast<const char *>(content.bytes.data()), content.bytes.size()),
        file(file) {}

  std::vector<Array> read();
  std::vector<std::string> readNames();

private:
  void readHeader();
  void readName(const std::string &field);
  bool readIndices(std::string_view indices, std::vector<int64_t> &index);
  void placeColumns(Group &group, std::vector<Column *> &members);
  void makeRoom();
  void readRow(std::string_view line, int64_t row);
  void readNumber(const std::string &field, const Column &column, int64_t row);
  void mistake(std::string what);

  std::string_view rest;
  const std::string &file;
  std::vector<Group> groups;
  std::vector<Column> columns;
  std::map<std::string, size_t, std::less<>> groupsByName;
  int64_t line = 1, column = 1; // where we are, for mistakes
  int64_t rows = 0;
  size_t mistakeCount = 0;
  Mistakes mistakes;
};
} // namespace

void CsvReader::mistake(std::string what) {
  if (++mistakeCount <= mostMistakes)
    mistakes.add(text("%s: line %lld, column %lld: %s", file.c_str(), (long long)line,
                      (long long)column, what.c_str()));
}

//===--- the header ------------------------------------------------------------------------------

/// `[1][20]` as 1, 20.
bool CsvReader::readIndices(std::string_view indices, std::vector<int64_t> &index) {
  while (!indices.empty()) {
    uint32_t number = 0;
    const char *end = indices.data() + indices.size();
    auto [stop, error] = std::from_chars(indices.data() + 1, end, number);
    if (indices.front() != '[' || error != std::errc() || stop == end || *stop != ']' ||
        index.size() == highestRank)
      return false;
    index.push_back(number);
    indices.remove_prefix(stop + 1 - indices.data());
  }
  return true;
}

void CsvReader::readName(const std::string &field) {
  if (columns.size() == mostColumns)
    return mistake(text("there are more than %zu columns", mostColumns));
  Column added;
  size_t bracket = std::min(field.find('['), field.size());
  std::string name = field.substr(0, bracket);
  if (name.empty())
    return mistake("this column has no name; the first line must name every column after an input "
                   "or a target");
  if (!readIndices(std::string_view(field).substr(bracket), added.index))
    return mistake(text("the column name %s is not understood; write it like x, x[0] or x[0][2]",
                        quoted(field).c_str()));
  auto [known, isNew] = groupsByName.try_emplace(name, groups.size());
  if (isNew)
    groups.emplace_back().name = name;
  added.group = known->second;
  columns.push_back(std::move(added));
}

/// Finds the shape that the columns of an array span, and whether there is one for each element.
void CsvReader::placeColumns(Group &group, std::vector<Column *> &members) {
  group.shape.assign(members.front()->index.size(), 0);
  bool complete = true;
  for (Column *member : members) {
    complete &= member->index.size() == group.shape.size();
    for (size_t axis = 0; complete && axis < group.shape.size(); ++axis)
      group.shape[axis] = std::max(group.shape[axis], member->index[axis] + 1);
  }
  int64_t count = int64_t(members.size()), elements = 1;
  for (int64_t size : group.shape)
    elements = std::min(elements * size, count + 1); // no more than is of interest
  std::vector<bool> seen(count);
  complete &= elements == count;
  for (Column *member : members) {
    for (size_t axis = 0; complete && axis < group.shape.size(); ++axis)
      member->element = member->element * group.shape[axis] + member->index[axis];
    complete = complete && !seen[member->element];
    if (complete)
      seen[member->element] = true;
  }
  group.elements = count;
  if (!complete)
    mistake(text("the %lld columns of the array %s are not one for each of its elements; name them "
                 "%s[0], %s[1] and so on, each once",
                 (long long)count, quoted(group.name).c_str(), quoted(group.name).c_str(),
                 quoted(group.name).c_str()));
}

void CsvReader::readHeader() {
  if (rest.starts_with("\xef\xbb\xbf")) // Excel's byte order mark
    rest.remove_prefix(3);
  std::string field;
  for (Fields fields(takeLine(rest)); fields.next(field) && !mistakeCount; ++column)
    readName(field);
  if (mistakeCount)
    return;
  std::vector<std::vector<Column *>> members(groups.size());
  for (Column &member : columns)
    members[member.group].push_back(&member);
  column = 1;
  for (size_t i = 0; i < groups.size(); ++i)
    placeColumns(groups[i], members[i]);
}

//===--- the numbers -----------------------------------------------------------------------------

/// Exactly as much as the lines will need, which is at most four times the text.
void CsvReader::makeRoom() {
  std::string_view lines = rest;
  while (!lines.empty())
    rows += !trim(takeLine(lines)).empty();
  if (uint64_t(rows) > rest.size() / (2 * columns.size()) + 1)
    rows = int64_t(rest.size() / (2 * columns.size()) + 1); // some are too short: a mistake
  for (Group &group : groups)
    group.values = std::make_shared<std::vector<int64_t>>(rows * group.elements);
}

static int64_t bitsOf(double value) {
  int64_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return bits;
}

void CsvReader::readNumber(const std::string &field, const Column &column, int64_t row) {
  Group &group = groups[column.group];
  int64_t whole = 0, &place = (*group.values)[row * group.elements + column.element];
  const char *begin = field.c_str(), *end = begin + field.size();
  auto [stop, error] = std::from_chars(begin, end, whole);
  if (group.whole && error == std::errc() && stop == end) {
    place = whole;
    return;
  }
  char *after = nullptr;
  double value = field.size() > longestNumber ? 0 : strtod(begin, &after);
  if (field.empty() || after != end || field.find_first_of("xX(") != field.npos)
    return mistake(field.empty() ? std::string("the number is missing")
                                 : text("%s is no number", quoted(field).c_str()));
  if (std::isinf(value) && field.find_first_of("iI") == field.npos)
    return mistake(text("%s is larger than any float64", quoted(field).c_str()));
  if (group.whole) // until now
    for (int64_t &number : *group.values)
      number = bitsOf(double(number));
  group.whole = false;
  place = bitsOf(value);
}

void CsvReader::readRow(std::string_view words, int64_t row) {
  std::string field;
  size_t count = 0;
  column = 1;
  for (Fields fields(words); fields.next(field); ++count, ++column)
    if (count < columns.size() && row < rows)
      readNumber(field, columns[count], row);
  if (count != columns.size()) {
    column = int64_t(std::min(count, columns.size()));
    mistake(text("the line has %zu numbers, but the first line names %zu columns", count,
                 columns.size()));
  }
}

std::vector<Array> CsvReader::read() {
  readHeader();
  mistakes.raise();
  makeRoom();
  for (int64_t row = 0; !rest.empty() && mistakeCount <= mostMistakes;) {
    ++line;
    std::string_view words = takeLine(rest);
    if (!trim(words).empty())
      readRow(words, row++);
  }
  if (mistakeCount > mostMistakes)
    mistakes.add(text("%s: and more of the kind", file.c_str()));
  if (!rows)
    mistakes.add(text("%s: holds no numbers: after the first line, which names the columns, every "
                      "line must have a number for each",
                      file.c_str()));
  mistakes.raise();
  std::vector<Array> arrays;
  for (Group &group : groups) {
    Array &array = arrays.emplace_back();
    array.file = file;
    array.name = group.name;
    array.type = group.whole ? ElementType::I64 : ElementType::F64;
    array.shape = {rows};
    array.shape.insert(array.shape.end(), group.shape.begin(), group.shape.end());
    array.data = reinterpret_cast<const std::byte *>(group.values->data());
    array.owner = group.values;
  }
  return arrays;
}

std::vector<std::string> CsvReader::readNames() {
  readHeader();
  mistakes.raise();
  std::vector<std::string> names;
  for (const Group &group : groups)
    names.push_back(group.name);
  return names;
}

std::vector<std::string> readCsvNames(const FileBytes &content, const std::string &file) {
  return CsvReader(content, file).readNames();
}

std::vector<Array> readCsv(const FileBytes &content, const std::string &file) {
  return CsvReader(content, file).read();
}

} // namespace formwork::runtime
