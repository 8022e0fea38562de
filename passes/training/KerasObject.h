// Reading what Keras serialized: objects by name, their arguments, and what is wrong with them.
//
// Whatever is wrong is said at once, and nothing is passed over: an argument that nobody read is an
// error, since it may have meant something.
#pragma once

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Diagnostics.h"

#include <optional>

namespace formwork {

/// Collects errors, so that all of them are seen before compilation ends.
class Problems {
public:
  explicit Problems(mlir::Location location) : location(location) {}

  /// Begins an error's text: what object, what about it, why, what to do.
  mlir::InFlightDiagnostic report() {
    found = true;
    return mlir::emitError(location);
  }
  bool any() const { return found; }

private:
  mlir::Location location;
  bool found = false;
};

/// An object as Keras names it: a bare string, {class_name, config}, or a function.
struct KerasObject {
  llvm::StringRef name;
  mlir::DictionaryAttr config;
};

/// Whether the attribute is Python's None, or absent.
bool isNone(mlir::Attribute attribute);

/// What the attribute names; nothing, with a problem reported, if it names nothing. `what` is the
/// object's role, as in "the optimizer".
std::optional<KerasObject> readObject(mlir::Attribute attribute, llvm::StringRef what,
                                      Problems &problems);

/// Numbers in row-major order; one number has no dimension.
struct NumberArray {
  llvm::SmallVector<int64_t> shape;
  std::vector<double> values;
};

/// The arguments of one object. Each accessor reports an argument of the wrong kind and returns
/// what it would be by default.
class Arguments {
public:
  Arguments(std::string owner, mlir::DictionaryAttr config, Problems &problems);

  double real(llvm::StringRef name, double byDefault);
  int64_t integer(llvm::StringRef name, int64_t byDefault);
  bool flag(llvm::StringRef name, bool byDefault);
  llvm::StringRef text(llvm::StringRef name, llvm::StringRef byDefault, llvm::StringRef none = "");
  std::vector<double> reals(llvm::StringRef name);
  /// A number, or nested lists of equal lengths.
  NumberArray numbers(llvm::StringRef name, double byDefault);
  /// As it is; null if absent or None.
  mlir::Attribute raw(llvm::StringRef name);

  /// Whether the argument was given, be it as None.
  bool has(llvm::StringRef name) const { return bool(config.get(name)); }
  /// These arguments may be anything: they change no number.
  void ignore(llvm::ArrayRef<llvm::StringLiteral> names);
  /// Reports that the argument's value cannot be.
  mlir::InFlightDiagnostic reject(llvm::StringRef name);
  /// Reports each argument that was not asked for. The last call.
  void finish();

  Problems &problems() { return *all; }
  llvm::StringRef ownerName() const { return owner; }

private:
  mlir::Attribute take(llvm::StringRef name);

  std::string owner;
  mlir::DictionaryAttr config;
  Problems *all;
  llvm::SmallVector<llvm::StringRef> read;
};

/// The row of `table` one of whose names is `name`; null if there is none. A row has `names`, the
/// first of which is the class's.
template <typename Row> const Row *findByName(llvm::ArrayRef<Row> table, llvm::StringRef name) {
  for (const Row &row : table)
    if (llvm::is_contained(row.names, name))
      return &row;
  return nullptr;
}

/// The classes of a table.
template <typename Row> std::vector<llvm::StringRef> classNames(llvm::ArrayRef<Row> table) {
  std::vector<llvm::StringRef> names;
  for (const Row &row : table)
    names.push_back(row.names.front());
  return names;
}

/// Reports a name that is in no row, and lists those that are.
template <typename Row>
void reportUnknown(Problems &problems, llvm::StringRef what, llvm::StringRef name,
                   llvm::ArrayRef<Row> table) {
  mlir::InFlightDiagnostic error = problems.report();
  error << what << " '" << name << "' is not supported; there are ";
  llvm::interleaveComma(table, error, [&](const Row &row) { error << row.names.front(); });
}

} // namespace formwork
