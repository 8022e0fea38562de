// Escapes names by what is allowed, never by what is known to be bad.
#include "codegen/source/Names.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace formwork::source {

static StringSet<> words(StringRef text) {
  StringSet<> result;
  for (StringRef word : split(text, ' '))
    result.insert(word);
  return result;
}

static bool isKeyword(StringRef word) {
  // C23 and C++23, alternative tokens and the names of <stdint.h> and <stddef.h> included, since an
  // argument of that name hides the type of the next one.
  static const StringSet<> keywords = words(
      "alignas alignof and and_eq asm atomic_cancel atomic_commit atomic_noexcept auto bitand "
      "bitor bool break case catch char char16_t char32_t char8_t class co_await co_return "
      "co_yield compl concept const const_cast consteval constexpr constinit continue decltype "
      "default delete do double dynamic_cast else enum explicit export extern false float for "
      "friend goto if inline int int32_t int64_t linux long mutable namespace new noexcept not "
      "not_eq nullptr operator or or_eq private protected public reflexpr register "
      "reinterpret_cast requires restrict return short signed size_t sizeof static "
      "static_assert static_cast std struct switch synchronized template this thread_local "
      "throw true try typedef typeid typename typeof typeof_unqual uint8_t union unix unsigned "
      "using virtual void volatile wchar_t while xor xor_eq");
  return keywords.contains(word);
}

std::string identifier(StringRef name) {
  std::string result;
  for (char c : name)
    result += isAlnum(c) ? c : '_';
  if (result.empty() || !isAlpha(result.front()))
    result.insert(result.begin(), 'n');
  if (isKeyword(result))
    result += '_';
  return result;
}

std::string commentText(StringRef name) {
  std::string result;
  raw_string_ostream stream(result);
  constexpr size_t longest = 120;
  for (char c : name.take_front(longest)) {
    if (isAlnum(c) || StringRef(" _/.:,+-=()[]<>|").contains(c))
      stream << c;
    else
      stream << '%' << format_hex_no_prefix(uint8_t(c), 2, /*Upper=*/true);
  }
  if (name.size() > longest)
    stream << "...";
  return result;
}

std::string variableName(StringRef name) {
  constexpr size_t longest = 40;
  std::string result;
  for (char c : identifier(name.take_front(4 * longest)))
    if (c != '_' || (!result.empty() && result.back() != '_'))
      result += c;
  result.resize(std::min(result.size(), longest));
  while (!result.empty() && result.back() == '_')
    result.pop_back();
  return identifier(result);
}

Scope::Scope(std::initializer_list<StringRef> taken) {
  for (StringRef name : taken)
    this->taken.insert(name);
}

/// Macros are in capitals by custom: an argument must not be one of them.
static bool looksLikeMacro(StringRef name) {
  return name.size() > 1 && none_of(name, [](char c) { return isLower(c); });
}

std::string Scope::unique(StringRef name) {
  constexpr size_t longest = 60; // 63 characters are as many as C's compilers must tell apart
  std::string base = identifier(name.take_front(4 * longest));
  if (base.size() > longest)
    base = identifier(StringRef(base).take_front(longest));
  if (looksLikeMacro(base))
    base += '_';
  std::string result = base;
  for (int &last = numbers.try_emplace(base, 1).first->second; has(result);)
    result = base + "_" + std::to_string(++last);
  taken.insert(result);
  return result;
}

} // namespace formwork::source
