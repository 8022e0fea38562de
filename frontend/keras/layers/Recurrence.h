// What recurrent layers share: one projection of all steps, then a scan over time. A cell says what
// one step computes.
//
// Dimensions: t steps, n examples, f features, u units, g gates. Matrices have the gates' columns
// side by side, in Keras's order.
#pragma once

#include "frontend/keras/Registry.h"
#include "frontend/keras/layers/Layers.h"

namespace formwork::keras {

/// The arguments that all recurrent layers have in common, after the layer's own.
std::vector<Argument> recurrentArguments(llvm::ArrayRef<Argument> own);

class RecurrentCell {
public:
  /// `name` is what Keras calls the cell, which its variables' names begin with.
  RecurrentCell(LayerCall &call, llvm::StringRef name, int64_t gates, size_t states);
  virtual ~RecurrentCell() = default;

  const int64_t units, gates;
  const size_t states;

  virtual mlir::LogicalResult declareWeights(int64_t features);
  /// [t, n, f] -> [t, n, g * u]
  mlir::Value project(mlir::Value steps);
  /// What steps read beside states and the projected step. `like` is [n, u].
  virtual llvm::SmallVector<mlir::Value> captures(mlir::Value like);
  /// From states [n, u], a projected step [n, g * u] and the captures to the next states, the first
  /// of which is the output.
  virtual llvm::SmallVector<mlir::Value> step(mlir::ValueRange states, mlir::Value projected,
                                              mlir::ValueRange captures) = 0;

protected:
  LayerCall &call;
  mlir::ImplicitLocOpBuilder &b;
  mlir::Value kernel, recurrent; // [f, g * u], [u, g * u]
  mlir::Value bias;              // what is added to the projection: [g * u], or null

  mlir::LogicalResult declare(mlir::Value &slot, llvm::StringRef name, llvm::StringRef initializer,
                              llvm::ArrayRef<int64_t> shape,
                              mlir::DictionaryAttr special = nullptr);
  /// `use_bias`'s variable; by default a vector that is added to the projection.
  virtual mlir::LogicalResult declareBias();

  /// The columns of gates [from, to) of a tensor whose last dimension is g * u.
  mlir::Value columns(mlir::Value x, int64_t from, int64_t to);
  /// The gates of [n, count * u], each like `like`. Split rather than sliced: the gradient then
  /// puts them side by side, and adds nothing.
  llvm::SmallVector<mlir::Value> split(mlir::Value x, int64_t count, mlir::Value like);
  mlir::Value activated(llvm::StringRef argument, mlir::Value x);
  /// Dropout masks like `example`, each drawn once for all steps; none outside training. Where
  /// Keras drops for each gate on its own there are as many as gates.
  llvm::SmallVector<mlir::Value> drawMasks(mlir::Value example, llvm::StringRef rate);
  bool dropsPerGate() const;
  /// hidden * mask, times the matrix: [n, g * u]. `masks` are none, one, or one for each gate.
  mlir::Value recur(mlir::Value hidden, mlir::Value matrix, mlir::ValueRange masks);

private:
  llvm::StringRef name;
};

/// Emits the layer whose steps `cell` computes: its output, then its states if it returns them.
mlir::FailureOr<Tensor> recurrence(LayerCall &call, RecurrentCell &cell);

/// A recurrent layer's row; the arguments outlive it.
LayerClass recurrentLayer(llvm::StringRef name, llvm::ArrayRef<Argument> arguments,
                          LayerBuilder build);

} // namespace formwork::keras
