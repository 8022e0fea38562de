// Where each variable lives: its bytes in `state`, or in `constants` if no function updates one.
//
// The same for every entry and signature of a module; decided once, published in the descriptor.
#pragma once

#include "ir/Dialect.h"

#include "mlir/IR/BuiltinOps.h"

namespace formwork {

struct StateVariable {
  std::string name;
  /// As the model has it; in memory a matrix lies in panels of `panel` columns, if that is not 0.
  mlir::RankedTensorType type;
  int64_t panel = 0;
  /// As in fw.variable: "weight", "slot", "rng", "hyperparameter", "iterations",
  /// "metric_state", "derived".
  std::string role;
  /// In a Keras .weights.h5; empty if it has no place there.
  std::string path;
  /// The variable whose optimizer memory this is; empty for others.
  std::string slotOf;
  bool trainable = false;
  /// Bytes from the start of state or constants, a multiple of `alignment`.
  int64_t offset = 0;
};

class StateLayout {
public:
  static constexpr int64_t alignment = 64;

  /// Variables in module order. Needs functions whose variables are arguments (after
  /// fw-lift-variables, at any later stage): only there does one see whether any is updated.
  explicit StateLayout(mlir::ModuleOp module);

  /// Whether variables are in `state`; else they are in `constants`. Never some here, some there.
  bool isMutable() const { return mutableState; }
  /// Bytes of the buffer that holds them.
  int64_t size() const { return bytes; }
  llvm::ArrayRef<StateVariable> variables() const { return all; }
  /// Null if there is none of that name.
  const StateVariable *find(llvm::StringRef name) const;

private:
  std::vector<StateVariable> all;
  llvm::StringMap<size_t> byName;
  int64_t bytes = 0;
  bool mutableState = false;
};

/// Bytes of one element: a boolean takes one.
int64_t elementBytes(mlir::Type element);

} // namespace formwork
