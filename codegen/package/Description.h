// What a package says about a model: its functions, their buffers, its variables and its weights.
//
// Plain data that the header and the descriptor are printed from. Neither decides anything: names
// are unique, layouts are fixed and concrete functions are in the order of dispatch when they
// arrive here.
#pragma once

#include "runtime/formwork.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace formwork::package {

/// A buffer of an entry.
struct Tensor {
  std::string name; ///< The model's own, unescaped.
  formwork_role role;
  formwork_dtype dtype;
  std::vector<int64_t> shape; ///< A size, or -1-s for symbol s.
  int64_t limit = 0;          ///< Values must be in [0, limit); 0 if anything goes.
  bool written = false;       ///< By the function; else read.
};

/// One compilation of an entry, by the symbols of the object that holds it.
struct Concrete {
  std::optional<std::vector<int64_t>> dims; ///< Absent: any.
  std::string run;
  std::string arenaSize;
  std::optional<int64_t> arenaBytes; ///< Where it does not depend on dims.
};

struct Entry {
  std::string name;              ///< "predict", "train_step", ...
  std::vector<std::string> dims; ///< A name for each symbol, in order: "batch", "tokens_dim1".
  std::vector<Tensor> buffers;
  std::vector<Concrete> concretes; ///< Exact ones first.
};

struct Variable {
  std::string name;
  std::string path; ///< In a Keras .weights.h5; empty if it has no place there.
  formwork_role role;
  formwork_dtype dtype;
  bool trainable = false;
  std::vector<int64_t> shape;
  int64_t offset = 0; ///< Bytes from the start of state or constants.
  int64_t panel = 0;  ///< As in formwork_variable.
  std::string slotOf; ///< Empty if this is not a slot.
};

/// Code for a GPU, by the symbols of the objects that hold it.
struct Accelerator {
  std::string name;    ///< "cuda sm_90"
  std::string runtime; ///< What its functions begin with: "formwork_cuda".
  std::string code;    ///< What they take.
  bool hasHostCode = false;
};

struct Description {
  std::string name; ///< A C identifier; begins every symbol.
  std::string target;
  std::string config;        ///< JSON, or empty.
  std::string compileConfig; ///< JSON, or empty.
  int64_t stateSize = 0;     ///< 0: does not train, variables are in constants.
  int64_t constantsSize = 0;
  std::vector<char> constants;    ///< constantsSize bytes, or empty.
  std::vector<char> initialState; ///< stateSize bytes, or empty: `init` makes it.
  /// What would be in one of the two, if it is to lie beside the package; or empty.
  std::vector<char> outside;
  std::vector<Variable> variables;
  std::vector<Entry> entries;
  std::optional<Accelerator> accelerator;

  bool trains() const { return stateSize != 0; }
  /// Either constants or initial state: a model that trains has no constants.
  std::vector<char> &weights() { return trains() ? initialState : constants; }
  const std::vector<char> &weights() const { return trains() ? initialState : constants; }
  /// Of the file that holds `weights()` or `outside` where they are not in the code.
  std::string weightsFile() const { return name + "_weights.bin"; }
};

} // namespace formwork::package
