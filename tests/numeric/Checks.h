// What is checked of a row, on one executor. Each check returns what it found wrong, so that a test
// can demand that nothing is found, or (planted faults) that something is.
#pragma once

#include "tests/numeric/Executor.h"
#include "tests/numeric/Table.h"

namespace formwork::test {

/// One line per mistake; empty if all is well.
using Findings = std::vector<std::string>;

class CompiledRow;

/// One of the questions asked of a row.
struct Check {
  const char *name;
  Findings (CompiledRow::*find)();
};

/// Those that make sense for this row.
std::vector<Check> checksOf(const Row &row);
/// Whether the row's gradients are checked.
bool hasGradient(const Row &row);

class CompiledRow {
public:
  /// Compiles all functions of all instances as one module.
  CompiledRow(const Row &row, Executor &executor, mlir::MLIRContext &context);

  /// Whether the row compiled. If not, every check finds that, and why.
  bool compiled() const { return program != nullptr; }

  /// %y against the row's naive reference.
  Findings forward();
  /// The gradient of sum(%y * seed) against central differences.
  Findings gradient();
  /// The gradient of the gradient's inner product with weights, with respect to operands and seed,
  /// against central differences of the gradient.
  Findings secondOrder();
  /// The functions with `?` dimensions against the specialized ones: the same but for the order of
  /// sums, if the executor may change it.
  Findings generalVersion();

private:
  struct Case;
  struct Derivative;

  Findings forEachCase(llvm::function_ref<void(Case &, Findings &)> check);
  void checkDerivative(const Derivative &derivative, Findings &findings);
  void compareGeneral(const std::string &function, std::vector<Array> arguments,
                      std::vector<Array> results, Findings &findings);
  std::vector<Array> run(const std::string &function, std::vector<Array> arguments,
                         std::vector<Array> results);

  const Row &row;
  const Executor &executor;
  std::vector<Case> cases;
  /// What the compiler said if there is no program.
  std::string refusal;
  std::unique_ptr<Program> program;

public:
  ~CompiledRow();
};

} // namespace formwork::test
