// Reading a model's descriptor: which entry, which of its compilations, how many bytes.
//
// The descriptor is trusted: it is part of the program. Sizes computed from it and from a caller's
// dimensions are still checked for overflow, because the dimensions come from data.
#pragma once

#include "runtime/formwork.h"

#include <cstdint>
#include <span>
#include <string>

namespace formwork::runtime {

/// Throws an Error if the model was compiled for another version of the interface.
void checkInterface(const formwork_model &);

std::span<const formwork_entry> entries(const formwork_model &);
std::span<const formwork_variable> variables(const formwork_model &);
std::span<const formwork_tensor> buffers(const formwork_entry &);
std::span<const formwork_concrete> concretes(const formwork_entry &);
std::span<const int64_t> shape(const formwork_variable &);
std::span<const int64_t> shape(const formwork_tensor &);

/// The entry of that name, or null.
const formwork_entry *findEntry(const formwork_model &, const char *name);
/// The entry of that name; an Error says what the model can do instead.
const formwork_entry &requireEntry(const formwork_model &, const char *name);
/// The first compilation that runs `dims`, or null if none does.
const formwork_concrete *dispatch(const formwork_entry &, const int64_t *dims);

inline bool isInput(const formwork_tensor &tensor) { return tensor.role < FORMWORK_OUTPUT; }
inline bool isData(const formwork_tensor &tensor) { return tensor.role < FORMWORK_SEED; }
/// Whether a trained model continues from this variable; metric sums start anew, and what is
/// derived is computed anew.
inline bool isKept(const formwork_variable &variable) {
  return variable.role != FORMWORK_METRIC_STATE && variable.role != FORMWORK_DERIVED;
}

int64_t elementSize(int32_t dtype);
const char *dtypeName(int32_t dtype);

/// The product of sizes; an Error naming `what` if one is negative or it exceeds 2^59: bytes can be
/// counted too.
int64_t elementCount(std::span<const int64_t> sizes, const char *what);
int64_t byteSize(const formwork_variable &);
/// One size of a buffer, with the symbols' sizes put in.
inline int64_t resolve(int64_t size, const int64_t *dims) {
  return size < 0 ? dims[-1 - size] : size;
}
/// Elements of a buffer for these sizes of the symbols.
int64_t elementCount(const formwork_tensor &, const int64_t *dims);

/// `f32[?,64]`: what an entry expects. Symbols beyond the batch are `?1`, `?2`...
std::string describe(const formwork_tensor &);
std::string describeShape(std::span<const int64_t> sizes);

} // namespace formwork::runtime
