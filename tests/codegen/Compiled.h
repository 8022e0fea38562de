// A module compiled, linked and loaded as a caller of the C interface has it.
#pragma once

#include "codegen/Codegen.h"
#include "codegen/StateLayout.h"
#include "runtime/formwork.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace formwork::test {

struct Pipeline {
  /// Run fw-model first: the module is what a frontend and attach-training write.
  bool differentiate = true;
  bool fuse = true;
  bool pool = true;
  bool unoptimized = true;
  bool manyThreads = false;
  /// If given, puts functions of the form that the CPU's kernels have in the place of kernels on
  /// tensors, after planning.
  std::function<mlir::LogicalResult(mlir::ModuleOp)> schedule;
  /// If given, adds passes over kernels for which no memory is planned yet.
  std::function<void(mlir::OpPassManager &)> beforePlan;
};

/// Owns the library and a state, and calls its functions with an arena full of NaNs between
/// canaries.
class Compiled {
public:
  static std::unique_ptr<Compiled> create(const std::string &moduleText, Pipeline pipeline = {});
  ~Compiled();

  /// Calls NAME_entry__suffix; buffers in the entry's order.
  int call(const std::string &entry, const std::string &suffix, std::vector<int64_t> dims,
           std::vector<void *> buffers, const formwork_context *context = nullptr);
  int64_t arenaBytes(const std::string &entry, const std::string &suffix,
                     std::vector<int64_t> dims);

  /// The elements of a variable in the state.
  template <typename Element> Element *variable(const std::string &name) {
    return reinterpret_cast<Element *>(state.data() + offsets.at(name));
  }
  /// Where variables are, and their bytes.
  const std::vector<StateVariable> &variables() const { return layout; }
  char *stateBytes() { return state.data(); }
  size_t stateSize() const { return state.lines.size() * sizeof(Line); }
  const Artifact &artifact() const { return compiled; }
  /// The symbols that the object lacks.
  std::vector<std::string> undefinedSymbols() const;

private:
  void *symbol(const std::string &name);

  std::unique_ptr<mlir::MLIRContext> context; // has the types of entries and variables
  Artifact compiled;
  std::string path;
  void *library = nullptr;
  std::map<std::string, int64_t> offsets;
  std::vector<StateVariable> layout;
  struct alignas(64) Line {
    char bytes[64];
  };
  struct Bytes {
    std::vector<Line> lines;
    char *data() { return lines.data()->bytes; }
  } state;
};

} // namespace formwork::test
