// Turns the graph of a Keras model into a module of the fw dialect:
//
//   fw.variable ops          in the order of the model's layers, as Keras's model.variables
//   func.func @predict       call(training=False)
//   func.func private @forward  call(training=True): dropout is active, BatchNormalization assigns
//   its
//                            moving statistics. The same arguments and results
//
// After the outputs come the masks of those that have one, of the output's name: losses and metrics
// use them, and attaching training takes them away.
//
// Arguments and results have fw.name, fw.role ("input", "output", "mask") and fw.symbols: for each
// dimension the number of the symbol that stands for its size, -1 if it is static. Symbol 0 is the
// batch. An input that is used to index an Embedding has fw.limit, the number of rows; other inputs
// have 0.
#pragma once

#include "frontend/keras/ModuleState.h"

#include "mlir/IR/OwningOpRef.h"

namespace formwork::keras {

/// Null if the model cannot be built; every problem is in the state's diagnostics.
mlir::OwningOpRef<mlir::ModuleOp> emitModule(ModuleState &state, const Graph &graph,
                                             llvm::StringRef name);

} // namespace formwork::keras
