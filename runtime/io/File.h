// Whole files: mapped for reading, replaced in one step for writing.
#pragma once

#include <cstddef>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace formwork::runtime {

/// The bytes of a file; those who point into it share the owner.
struct FileBytes {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

/// Maps a file, or reads it if it cannot be mapped (a pipe). An Error says why it cannot be read.
FileBytes readFile(const std::string &path);

/// An Error if there is no file to be read; a pipe is not looked into.
void checkReadable(const std::string &path);

/// An Error if no file can be written there.
void checkWritable(const std::string &path);

bool endsWith(std::string_view path, std::string_view ending);

/// Writes a file that appears under its name only when it is complete: until `commit`, and if the
/// disk is full, what was there before stays. All errors are told by `commit`.
class ReplacingFile {
public:
  explicit ReplacingFile(std::string path);
  ~ReplacingFile();
  ReplacingFile(const ReplacingFile &) = delete;
  ReplacingFile &operator=(const ReplacingFile &) = delete;

  void write(const void *data, size_t size);
  void write(std::string_view words) { write(words.data(), words.size()); }
  /// Flushes to the disk and renames; an Error if anything failed.
  void commit();

private:
  [[noreturn]] void fail(int error);

  std::string path, temporary;
  FILE *file = nullptr;
  int firstError = 0;
};

} // namespace formwork::runtime
