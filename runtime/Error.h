// How the runtime tells a user what is wrong with what was given.
//
// An Error is a mistake in the user's files, data or options: its message names the file and the
// array, says what is wrong, why, and what to do. It is not for the runtime's own invariants, which
// are assertions. Messages are formatted with printf's words: iostreams would double the size of a
// small program.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace formwork::runtime {

/// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string text(const char *format, ...);

/// 'words' out of a file, printable, at most some eighty characters long: they may hold what a
/// terminal obeys.
std::string quoted(std::string_view words);
/// The same without the quotes, for tables.
std::string printable(std::string_view words);

class Error : public std::exception {
public:
  explicit Error(std::string message) : message(std::move(message)) {}
  const char *what() const noexcept override { return message.c_str(); }

private:
  std::string message;
};

/// Misuse of the command line rather than a mistake in a file.
class UsageError : public Error {
public:
  using Error::Error;
};

/// Gathers mistakes, so that a user hears of all of them at once.
class Mistakes {
public:
  void add(std::string message) { messages.push_back(std::move(message)); }
  /// Adds what an Error of the function says.
  template <typename Function> void gather(Function function) {
    try {
      function();
    } catch (const Error &error) {
      add(error.what());
    }
  }
  bool empty() const { return messages.empty(); }
  /// Throws an Error of all messages, one per line, if there are any.
  template <typename Kind = Error> void raise() const {
    if (!empty())
      throw Kind(lines());
  }

private:
  std::string lines() const;

  std::vector<std::string> messages;
};

} // namespace formwork::runtime
