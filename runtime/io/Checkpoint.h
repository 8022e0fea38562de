// What a training run needs to be continued, in a file.
//
// A .keras archive (through the module of keras_io/) or a safetensors file. Both hold all variables
// but metric sums, and how far training has come; a run that is cut in two and resumed ends in the
// same bits.
#pragma once

#include "runtime/Instance.h"

#include <cstdint>
#include <string>

namespace formwork::runtime {

/// How far training has come.
struct Position {
  int64_t epoch = 0;  // epochs done
  int64_t seed = 0;   // of the shuffling
  bool known = false; // false: the file holds weights of another origin
};

/// Writes to a temporary file and renames it: an old checkpoint survives a full disk.
void saveCheckpoint(const std::string &file, const Instance &, const Position &);

/// Sets the instance's variables. A file of weights alone leaves the optimizer as it is; a weight
/// that is missing or has another shape is an Error.
Position loadCheckpoint(const std::string &file, Instance &);

} // namespace formwork::runtime
