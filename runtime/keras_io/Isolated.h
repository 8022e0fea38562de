// Runs a reader of untrusted bytes in a process of its own.
//
// HDF5 was not made for hostile files: damaged ones make it read what it never wrote, ask for
// petabytes, or not come back. What it does here it does to a child, which may compute and answer
// through a pipe, and nothing else: it cannot open a file, a damaged one ends it rather than the
// program, and its memory and time are bounded. Whoever reads the answer must not trust it either.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace formwork {

/// The child's side of the pipe. If nobody reads any more, the child ends.
class IsolatedWriter {
public:
  explicit IsolatedWriter(int descriptor) : descriptor(descriptor) {}
  void bytes(const void *data, size_t size);
  void number(uint64_t value) { bytes(&value, sizeof(value)); }
  void words(const std::string &value);

private:
  int descriptor;
};

/// The parent's side. Each returns whether it could: the child may have ended, or be lying.
class IsolatedReader {
public:
  explicit IsolatedReader(int descriptor) : descriptor(descriptor) {}
  [[nodiscard]] bool bytes(void *data, size_t size);
  [[nodiscard]] bool number(uint64_t &value, uint64_t most = UINT64_MAX);
  [[nodiscard]] bool words(std::string &value, uint64_t most = 1 << 16);

private:
  int descriptor;
};

/// Runs `work` in a child that may allocate `memory` bytes more than there are now, and `answer` on
/// what it writes. False if the child did not come to an end, or `answer` returned false. Throws
/// std::bad_alloc if there can be no child.
bool runIsolated(uint64_t memory, const std::function<void(IsolatedWriter &)> &work,
                 const std::function<bool(IsolatedReader &)> &answer);

} // namespace formwork
