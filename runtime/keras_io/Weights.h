// model.weights.h5: a model's variables where Keras looks for them.
#pragma once

#include "runtime/Descriptor.h"

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace formwork::runtime {

/// Whether the variable has a place in the file: weights, the optimizer's, the state of randomness
/// (which Keras passes over).
inline bool hasPath(const formwork_variable &variable) { return variable.path != nullptr; }
bool belongsToOptimizer(const formwork_variable &);

/// The bytes of an HDF5 file with one dataset per variable that has a path.
std::vector<std::byte> makeWeights(const formwork_model &, const std::byte *variables);

/// Reads the weights, and the optimizer's variables if the file has exactly those; returns whether
/// it did. Others are read if they are there. An Error tells every weight that is missing or has
/// another shape; then nothing is set. Links out of the file and storage outside of it are refused.
bool readWeights(std::span<const std::byte> image, const std::string &file, const formwork_model &,
                 std::byte *variables);

} // namespace formwork::runtime
