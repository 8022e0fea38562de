// Diagnostics; see Error.h.
#include "runtime/Error.h"

#include <cstdarg>
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

std::string Mistakes::lines() const {
  std::string all;
  for (const std::string &message : messages)
    all += (all.empty() ? "" : "\n") + message;
  return all;
}

} // namespace formwork::runtime
