// NumPy's .npy format, versions 1 to 3: numbers only.
//
// Refuses Python objects (pickles are programs), strings, records, and files shorter than their
// header says. Big-endian and Fortran-ordered arrays are turned into native row-major ones.
#pragma once

#include "runtime/data/Array.h"
#include "runtime/io/File.h"

#include <string>

namespace formwork::runtime {

bool isNpy(std::span<const std::byte>);

/// Reads an array from the bytes of a .npy file; `file` and `name` are for diagnostics.
Array readNpy(const FileBytes &, const std::string &file, const std::string &name);

/// The header that comes before the elements in a .npy file.
std::string npyHeader(const Array &);

} // namespace formwork::runtime
