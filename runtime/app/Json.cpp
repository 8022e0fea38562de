// Writing results as JSON; see Json.h.
#include "runtime/app/Json.h"

#include "runtime/Error.h"

#include <cmath>
#include <cstring>

namespace formwork::runtime {

Json &Json::piece(const std::string &words) {
  if (!result.empty() && !strchr("{[:", result.back()))
    result += ", ";
  else if (!result.empty() && result.back() == ':')
    result += ' ';
  result += words;
  return *this;
}

Json &Json::open(char bracket) { return piece(std::string(1, bracket)); }

Json &Json::close(char bracket) {
  result += bracket;
  return *this;
}

static std::string quote(const std::string &words) {
  std::string result = "\"";
  for (char c : words) {
    if (c == '"' || c == '\\')
      result += '\\';
    result += uint8_t(c) < 0x20 ? text("\\u%04x", c) : std::string(1, c);
  }
  return result + "\"";
}

Json &Json::key(const char *name) {
  piece(quote(name));
  result += ':';
  return *this;
}

Json &Json::value(const std::string &words) { return piece(quote(words)); }
Json &Json::value(double number) {
  return piece(std::isfinite(number) ? text("%.17g", number) : "null");
}
Json &Json::value(long long number) { return piece(text("%lld", number)); }
Json &Json::value(bool truth) { return piece(truth ? "true" : "false"); }
Json &Json::value(const std::vector<double> &numbers) {
  if (numbers.size() == 1)
    return value(numbers.front());
  open('[');
  for (double number : numbers)
    value(number);
  return close(']');
}

} // namespace formwork::runtime
