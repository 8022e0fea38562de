// Writing results as JSON, for programs that read them.
#pragma once

#include <string>
#include <type_traits>
#include <vector>

namespace formwork::runtime {

/// Builds a JSON text piece by piece. Commas are put where they belong.
class Json {
public:
  Json &open(char bracket);
  Json &close(char bracket);
  Json &key(const char *name);
  Json &value(const std::string &words);
  Json &value(const char *words) { return value(std::string(words)); }
  /// Numbers that JSON has no word for (NaN) become null.
  Json &value(double number);
  Json &value(long long number);
  Json &value(bool truth);
  /// One number alone, several as an array.
  Json &value(const std::vector<double> &numbers);
  template <typename T> Json &member(const char *name, const T &v) {
    key(name);
    if constexpr (std::is_same_v<T, bool>)
      return value(v);
    else if constexpr (std::is_integral_v<T>)
      return value((long long)v);
    else
      return value(v);
  }

  const std::string &words() const { return result; }

private:
  Json &piece(const std::string &words);
  std::string result;
};

} // namespace formwork::runtime
