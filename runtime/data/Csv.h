// Comma-separated numbers, whose first line names the columns.
//
// A column `y` is an array of one number per sample. The columns `x[0]`, `x[1]`... are together the
// array `x` of as many numbers per sample, `image[0][0]`, `image[0][1]`... one of two dimensions
// per sample; in which order they stand does not matter. An array is int64 if all of its numbers
// are whole ones, float64 otherwise.
//
// Reading is strict: every line has a number for every column. What is no number, is missing or
// cannot be held is told with its line and column; nothing is guessed or filled in. Fields may be
// quoted, but not hold a line's end.
#pragma once

#include "runtime/data/Array.h"
#include "runtime/io/File.h"

#include <string>
#include <vector>

namespace formwork::runtime {

/// Whether the bytes begin like text: there is no other sign of the format.
bool isCsv(std::span<const std::byte>);

/// The arrays' names alone, from the first line.
std::vector<std::string> readCsvNames(const FileBytes &, const std::string &file);

/// The arrays in the order of their first columns. An Error tells what is wrong, at most the first
/// twenty mistakes.
std::vector<Array> readCsv(const FileBytes &, const std::string &file);

} // namespace formwork::runtime
