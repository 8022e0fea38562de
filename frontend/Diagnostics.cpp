// One error for a model file, with a note for each thing that is wrong with it.
#include "frontend/Diagnostics.h"

#include "mlir/IR/Diagnostics.h"

#include <algorithm>

using namespace mlir;

namespace formwork {

static constexpr size_t longestName = 80;
static constexpr size_t mostProblems = 100;

std::string quoted(std::string_view text) {
  static const char digits[] = "0123456789abcdef";
  std::string out = "'";
  for (char c : text.substr(0, longestName)) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '\\' || c == '\'')
      out += {'\\', c};
    else if (byte < 0x20 || byte >= 0x7f)
      out += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    else
      out += c;
  }
  return out + (text.size() > longestName ? "...'" : "'");
}

void Diagnostics::setText(std::string_view newText, const Json *newRoot) {
  text = newText, root = newRoot;
  linesBefore.clear();
  unsigned lines = 0;
  for (size_t block = 0; block < text.size(); block += blockSize) {
    linesBefore.push_back(lines);
    std::string_view part = text.substr(block, blockSize);
    lines += unsigned(std::count(part.begin(), part.end(), '\n'));
  }
  linesBefore.push_back(lines);
}

FileLineColLoc Diagnostics::locate(uint32_t offset) const {
  std::string_view before = text.substr(0, offset);
  size_t lineStart = before.rfind('\n') + 1; // npos + 1 is 0
  size_t block = before.size() / blockSize;
  unsigned line = 1 + (linesBefore.empty() ? 0 : linesBefore[block]) +
                  unsigned(std::count(before.begin() + block * blockSize, before.end(), '\n'));
  return FileLineColLoc::get(&context, file, line, unsigned(before.size() - lineStart) + 1);
}

LogicalResult Diagnostics::add(Location location, std::string message) {
  if (problems.size() < mostProblems)
    problems.push_back({location, std::move(message)});
  else
    ++dropped;
  return failure();
}

LogicalResult Diagnostics::add(std::string message) {
  return add(Location(FileLineColLoc::get(&context, file, 1, 1)), std::move(message));
}

LogicalResult Diagnostics::addAt(uint32_t offset, std::string message) {
  return add(Location(locate(offset)), std::move(message));
}

// Beyond what will be told, nothing is looked up: it takes time, and there may be many.
LogicalResult Diagnostics::add(const Json &value, std::string message) {
  if (problems.size() >= mostProblems)
    return ++dropped, failure();
  std::string pointer = root ? pointerTo(*root, value) : "";
  return add(Location(locate(value)), "at " + (pointer.empty() ? "/" : pointer) + ": " + message);
}

LogicalResult Diagnostics::addLayer(const Json &value, std::string_view layer,
                                    std::string_view className, std::string message) {
  if (problems.size() >= mostProblems)
    return ++dropped, failure();
  std::string pointer = root ? pointerTo(*root, value) : "";
  return add(Location(locate(value)), "layer " + quoted(layer) + " (" +
                                          std::string(className.substr(0, longestName)) + ") at " +
                                          pointer + ": " + message);
}

std::vector<std::string> Diagnostics::messages() const {
  std::vector<std::string> messages;
  for (const Problem &problem : problems)
    messages.push_back(problem.message);
  return messages;
}

LogicalResult Diagnostics::report() {
  if (problems.empty())
    return success();
  // A single problem of the whole file needs no heading.
  if (problems.size() == 1 && dropped == 0)
    return emitError(problems[0].location) << problems[0].message;
  InFlightDiagnostic error = emitError(FileLineColLoc::get(&context, file, 1, 1))
                             << "this model cannot be compiled: " << count() << " problems";
  for (const Problem &problem : problems)
    error.attachNote(problem.location) << problem.message;
  if (dropped)
    error.attachNote(FileLineColLoc::get(&context, file, 1, 1)) << "and " << dropped << " more";
  return error;
}

} // namespace formwork
