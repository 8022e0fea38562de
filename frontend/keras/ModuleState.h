// What is shared by all functions of a module while it is built.
#pragma once

#include "frontend/keras/LayerCall.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringSet.h"

#include <map>

namespace formwork::keras {

class ModuleState {
public:
  ModuleState(mlir::MLIRContext &context, Diagnostics &diagnostics)
      : context(context), diagnostics(diagnostics) {}

  mlir::MLIRContext &context;
  Diagnostics &diagnostics;

  /// Gives every layer its names, here and in the weight file.
  void nameLayers(const Graph &graph, const std::string &scope, const std::string &prefix);
  LayerState &stateOf(const Layer &layer) { return states.at(&layer); }
  /// The shapes of what a layer returned when it was first called; -1 where any size goes.
  void recordOutputs(const Layer &layer, llvm::ArrayRef<Tensor> outputs);
  const std::vector<std::vector<int64_t>> &outputShapes(const Layer &layer) {
    return shapes[&layer];
  }
  /// `name`, or with a number if it is taken.
  std::string uniqueSymbol(const std::string &name);

  /// Symbols of sizes that are not known; 0 is the batch.
  int64_t newSymbol();
  /// Those of a model's input; the same each time. All inputs share the batch.
  llvm::SmallVector<int64_t, 4> inputSymbols(const std::string &input,
                                             llvm::ArrayRef<int64_t> shape);
  int64_t find(int64_t symbol) const;
  void unify(int64_t a, int64_t b);
  int64_t symbolCount() const { return int64_t(parents.size()); }

  static constexpr llvm::StringLiteral rngName = "rng";
  bool usesRng = false;
  int64_t streams = 0;
  unsigned calls = 0; // of layers, in the function being built

private:
  void nameLayer(const Layer &layer, const std::string &scope, const std::string &prefix);

  std::map<const Layer *, LayerState> states;
  std::map<const Layer *, std::vector<std::vector<int64_t>>> shapes;
  llvm::StringSet<> symbols = {rngName};
  std::vector<int64_t> parents;
  std::map<std::string, llvm::SmallVector<int64_t, 4>> inputs;
  int64_t batch = fixedSize;
};

} // namespace formwork::keras
