// What a module's entries are and which buffers they take, as the descriptor publishes them.
#pragma once

#include "ir/Dialect.h"

#include "mlir/IR/BuiltinOps.h"

namespace formwork {

/// A buffer of an entry, in the order of its table of pointers.
struct EntryBuffer {
  std::string name;
  /// "input", "target", "sample_weight", "seed", "output", "loss", "metric", "gradient".
  std::string role;
  mlir::Type element;
  /// A size, or -1-s for symbol s of the entry's dims.
  llvm::SmallVector<int64_t> shape;
  /// Indices must be in [0, limit); 0 if anything goes.
  int64_t limit = 0;
  /// By the function; else it is read.
  bool written = false;
};

/// One compilation of an entry: a function of the module, and what it exports.
struct ConcreteEntry {
  /// The function in the module.
  std::string function;
  /// Sizes of the symbols it is for; empty for the general function and for entries without any.
  llvm::SmallVector<int64_t> dims;
  bool general = false;
  /// Exported: a formwork_function and `int64_t(const int64_t *dims)`.
  std::string symbol, arenaSymbol;
  /// Bytes of arena if they do not depend on dims; known once memory is planned.
  std::optional<int64_t> arenaBytes;
};

struct Entry {
  std::string name;
  std::vector<EntryBuffer> buffers;
  /// How many sizes `dims` has: the module's symbols, or 0 if the entry uses none.
  int64_t dimCount = 0;
  /// Concrete functions first, in module order; the general one is the last.
  std::vector<ConcreteEntry> concretes;
};

/// Reads the attributes fw.entry, fw.concrete_of, fw.dims of functions and fw.name, fw.role,
/// fw.symbols, fw.limit of their arguments and results, at any stage from pure functions to bound
/// buffers. Exported names begin with `prefix`, a C identifier.
std::vector<Entry> readEntries(mlir::ModuleOp module, llvm::StringRef prefix);

} // namespace formwork
