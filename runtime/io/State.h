// A model's variables and how far training has come, as the content of a safetensors file.
//
// Works on the descriptor and the bytes that its offsets count from, so that the module for Keras
// archives shares it.
#pragma once

#include "runtime/Descriptor.h"
#include "runtime/io/Safetensors.h"

namespace formwork::runtime {

/// How far training has come.
struct Position {
  int64_t epoch = 0;     // epochs done
  int64_t seed = 0;      // of the shuffling
  bool known = false;    // false: the file holds weights of another origin
  bool complete = false; // whether the file held the optimizer's state too
};

using VariableFilter = bool(const formwork_variable &);

/// The variables' elements, where they are if they are in row-major order, and the position.
Safetensors packState(const formwork_model &, const std::byte *variables, const Position &,
                      VariableFilter *wanted);

/// Sets those of the wanted variables that the content holds. An Error tells every weight that is
/// missing and every array that has another shape; then nothing is set.
Position unpackState(const Safetensors &, const std::string &file, const formwork_model &,
                     std::byte *variables, VariableFilter *wanted);

} // namespace formwork::runtime
