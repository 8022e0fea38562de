// What a training run needs to be continued, in a file.
//
// A .keras archive (through the module of keras_io/) or a safetensors file. Both hold all variables
// but metric sums, and how far training has come; a run that is cut in two and resumed ends in the
// same bits. A .npz file holds the variables alone, by their names ("dense/kernel"). Keras's
// .weights.h5 can be read.
#pragma once

#include "runtime/Instance.h"
#include "runtime/io/State.h"

#include <string>

namespace formwork::runtime {

/// An Error if `saveCheckpoint` could not write this file, as far as can be known before: better
/// heard of before an hour of training than after it.
void checkCheckpointPath(const std::string &file);

/// Writes to a temporary file and renames it: an old checkpoint survives a full disk.
void saveCheckpoint(const std::string &file, const Instance &, const Position &);

/// Sets the instance's variables. A file of weights alone leaves the optimizer as it is; a weight
/// that is missing or has another shape is an Error.
Position loadCheckpoint(const std::string &file, Instance &);

} // namespace formwork::runtime
