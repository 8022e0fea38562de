// A public function of the model under construction, with the names and roles of its buffers.
#pragma once

#include "ir/Dialect.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace formwork {

/// A buffer, as the descriptor publishes it.
struct Buffer {
  std::string name;
  llvm::StringRef role;
  mlir::RankedTensorType type;
  /// The symbol of each dimension, -1 if it is static; may be empty if all are.
  llvm::SmallVector<int64_t> symbols;
  /// Indices must be in [0, limit); 0 if anything goes.
  int64_t limit = 0;

  mlir::DictionaryAttr attributes() const;
};

class EntryFunction {
public:
  /// Appends an empty function to the module.
  EntryFunction(mlir::ModuleOp module, llvm::StringRef name);

  mlir::Value addArgument(const Buffer &buffer);
  mlir::Value addArgument(mlir::Type type, mlir::DictionaryAttr attributes);
  void addResult(mlir::Value value, const Buffer &buffer);
  /// Writes the terminator. The last call.
  void finish();

  /// Where ops go; located in the part of the step that was named last.
  mlir::ImplicitLocOpBuilder &builder() { return ops; }
  /// What follows belongs to this part: "loss", "adam", "accuracy".
  void enter(llvm::StringRef part);

  mlir::Value read(VariableOp variable);
  void assign(VariableOp variable, mlir::Value value);

private:
  mlir::func::FuncOp function;
  mlir::ImplicitLocOpBuilder ops;
  llvm::SmallVector<mlir::Value> results;
  llvm::SmallVector<mlir::Attribute> resultAttributes;
};

} // namespace formwork
