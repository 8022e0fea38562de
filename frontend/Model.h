// A model file as a module of the fw dialect: what every front end produces.
#pragma once

#include "frontend/Diagram.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>
#include <vector>

namespace formwork {

/// The value of a variable as the file has it.
struct Weight {
  std::string variable;
  mlir::RankedTensorType type;
  std::vector<char> data; // row-major, little-endian, dense
};

struct ImportOptions {
  std::string path;
  /// What the module is called; empty: the file's name without its ending.
  std::string name;
};

/// A row of model.summary().
struct LayerSummary {
  std::string name, className;
  std::vector<std::vector<int64_t>> outputShapes; // of its first call; -1 where any size goes
  int64_t parameters = 0, trainable = 0;          // elements of its variables
  std::vector<std::string> variables = {};        // their names, inner layers' included
};

struct ImportedModel {
  /// Variables, @predict and @forward; documented in frontend/keras/Emitter.h.
  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// One for each variable that the file has a value for: all weights of a `.keras` archive, none
  /// of a bare configuration.
  std::vector<Weight> weights;
  /// optimizer/vars/0, 1, ... of a `.keras` archive: iterations, learning rate, then slots in the
  /// order in which Keras creates them. `variable` is that path.
  std::vector<Weight> optimizerState;
  /// Keras's JSON of the model.
  std::string config;
  /// Keras's JSON of optimizer, loss and metrics; empty if the model was not compiled.
  std::string compileConfig;
  /// In the order of the file.
  std::vector<LayerSummary> layers;
  Diagram diagram;
};

/// Reads a model file. Its kind is seen from its content, not from its name: a `.keras`
/// archive, an `.h5` file or the JSON of `model.to_json()`. What is wrong with it is emitted as one
/// error on `context`, with a note for each problem; no exception leaves. Loads the dialects it
/// needs.
mlir::FailureOr<ImportedModel> importModel(mlir::MLIRContext &context,
                                           const ImportOptions &options);

/// The same for bytes already in memory; `options.path` is what diagnostics call them.
mlir::FailureOr<ImportedModel> importModelBytes(mlir::MLIRContext &context, std::string bytes,
                                                const ImportOptions &options);

/// The module as text, as `formwork compile --emit=fw` shows it before any pass has run.
void printModel(const ImportedModel &model, llvm::raw_ostream &out);

} // namespace formwork
