// The numeric table: a row is an op (or an op in one of its modes) and creates the op's tests.
//
// To add an op: a row in the file of its family (elementwise.cpp, linear.cpp, ...), in the form
//
//   row("hypot", binaryShapes())
//       .body("%y = fw.hypot %0, %1 : ($0, $1) -> $y")
//       .reference([](const Arrays &x) {
//         return elementwise(x, [](auto &e) { return std::hypot(e[0], e[1]); });
//       })
//       .range(0.5, 2);
//
// `body` computes %y from %0, %1, ...; $0, $1, ... and $y stand for their types, and a body may be
// a function of the instance where attributes depend on shapes. `reference` is naive C++ that knows
// nothing of MLIR; the shape and element type of what it returns are those of %y. `range` keeps
// the inputs where the op is smooth and its third derivative modest. Operands are f64 unless
// `operand` says otherwise; those that are not get no gradient.
//
// What is checked for each row and shape: Checks.h. A row called "op/mode" is one of several for
// op.
#pragma once

#include "tests/numeric/Array.h"

#include <deque>

namespace formwork::test {

using Arrays = std::vector<Array>;
/// The shapes of the operands of one instance.
using Shapes = std::vector<Shape>;

/// One function of a row: its operands, and what the reference makes of them.
struct Instance {
  Arrays operands;
  Array result;

  const Shape &shape(size_t operand) const { return operands[operand].shape; }
};

struct Operand {
  std::string element = "f64";
  /// Integers are drawn from the whole numbers of the range, both ends included.
  double low = -2, high = 2;
};

struct Row {
  std::string name;
  std::vector<Shapes> shapes;
  std::function<std::string(const Instance &)> makeBody;
  std::function<Array(const Arrays &)> makeReference;
  /// By position; the last one stands for all that follow.
  std::vector<Operand> operandKinds = {{}};
  /// Whether %y has a gradient with respect to the operands of type f64.
  bool differentiable = true;
  /// Which dimensions become `?` in the general version: all that are not 1, the leading one of
  /// each of these operands, or none because the general function is refused.
  enum General { AllDimensions, LeadingDimension, NotGeneral } general = AllDimensions;
  std::vector<size_t> leadingOf;

  Row &body(std::string text);
  Row &body(std::function<std::string(const Instance &)> make);
  Row &reference(std::function<Array(const Arrays &)> compute);
  Row &range(double low, double high);
  Row &operand(size_t position, Operand kind);
  Row &noGradient();
  /// Only the leading dimension of the operands at these positions may be unknown.
  Row &generalIn(std::vector<size_t> operands);
  Row &notGeneral();

  /// The mnemonic: "scan" for "scan/reverse".
  std::string op() const { return name.substr(0, name.find('/')); }
};

class Table {
public:
  Row &row(std::string name, std::vector<Shapes> shapes);
  const std::deque<Row> &rows() const { return all; }

private:
  /// A deque, since rows are referred to while others are added.
  std::deque<Row> all;
};

/// At least ten shapes each: scalars, size 1 and 0, primes; for two and three operands
/// broadcasting on either side.
std::vector<Shapes> unaryShapes();
std::vector<Shapes> binaryShapes();
std::vector<Shapes> ternaryShapes();

/// An attribute: [2, 0, 1].
std::string list(const std::vector<int64_t> &values);

// The families, one file each.
void addElementwiseRows(Table &table);
void addLinearRows(Table &table);
void addConvolutionRows(Table &table);
void addPoolingRows(Table &table);
void addSlicingRows(Table &table);
void addIndexingRows(Table &table);
void addNormalizationRows(Table &table);
void addRandomRows(Table &table);
void addShapeRows(Table &table);
void addReductionRows(Table &table);
void addLossRows(Table &table);
void addControlRows(Table &table);
void addSeamRows(Table &table);

/// All of them.
const Table &table();

} // namespace formwork::test
