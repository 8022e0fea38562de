// A file of named arrays, whichever format it has: .npz, .npy, .csv.
#pragma once

#include "runtime/data/Array.h"
#include "runtime/data/Zip.h"
#include "runtime/io/File.h"

#include <span>
#include <string>
#include <vector>

namespace formwork::runtime {

/// The format is read from the content. Arrays are read when they are asked for; those of a .csv
/// file at once.
class ArrayFile {
public:
  explicit ArrayFile(std::string path);

  const std::string &path() const { return file; }
  /// In the file's order. A .npy file has one array, named after the file.
  const std::vector<std::string> &names() const { return arrayNames; }
  Array read(size_t index) const;

private:
  std::string file;
  FileBytes content;
  std::vector<std::string> arrayNames;
  std::vector<ZipMember> members; // of a .npz, beside their names
  std::vector<Array> arrays;      // of a .csv
};

/// The names of a file's arrays, of which none is read.
std::vector<std::string> arrayNames(const std::string &path);

/// An Error if `writeArrays` knows no format for such a name and so many arrays.
void checkArraysName(const std::string &path, size_t count);

/// Writes arrays by name as .npz, or one array as .npy, as the path's ending says.
void writeArrays(const std::string &path, std::span<const Array> arrays);

} // namespace formwork::runtime
