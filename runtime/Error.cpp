// Diagnostics; see Error.h.
#include "runtime/Error.h"

#include <cstdarg>
#include <cstdint>
#include <cstdio>

namespace formwork::runtime {

std::string text(const char *format, ...) {
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  int size = vsnprintf(nullptr, 0, format, arguments);
  va_end(arguments);
  std::string result(size > 0 ? size : 0, '\0');
  vsnprintf(result.data(), result.size() + 1, format, again);
  va_end(again);
  return result;
}

std::string printable(std::string_view words) {
  constexpr size_t longest = 80;
  std::string result;
  for (char c : words.substr(0, longest)) {
    if (c == '\\' || c == '\'')
      result += {'\\', c};
    else if (c < ' ' || c > '~') // char is signed, or what is not ASCII is larger
      result += text("\\x%02x", unsigned(uint8_t(c)));
    else
      result += c;
  }
  return result + (words.size() > longest ? "..." : "");
}

std::string quoted(std::string_view words) { return "'" + printable(words) + "'"; }

std::string Mistakes::lines() const {
  std::string all;
  for (const std::string &message : messages)
    all += (all.empty() ? "" : "\n") + message;
  return all;
}

} // namespace formwork::runtime
