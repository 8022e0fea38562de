// The safetensors format: named arrays and a little text, in one file that holds no code.
//
// Reading is strict: a header that is not exactly what the format allows, names that occur twice,
// or data ranges that overlap or lie outside the file are refused.
#pragma once

#include "runtime/data/Array.h"
#include "runtime/io/File.h"

#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace formwork::runtime {

struct Safetensors {
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<Array> arrays;

  const Array *find(const std::string &name) const;
  /// The text under that key, or an empty string.
  std::string note(const std::string &key) const;
};

Safetensors readSafetensors(const FileBytes &, const std::string &file);

/// Hands the file's bytes to `write`, piece by piece.
void writeSafetensors(const Safetensors &,
                      const std::function<void(std::span<const std::byte>)> &write);

} // namespace formwork::runtime
