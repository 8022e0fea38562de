// Rows of Elementwise.td.
#include "tests/numeric/Table.h"

#include <cmath>

namespace formwork::test {

using Elements = std::vector<double>;

static Row &unary(Table &table, const std::string &op, double (*scalar)(double)) {
  return table.row(op, unaryShapes())
      .body("%y = fw." + op + " %0 : ($0) -> $y")
      .reference([scalar](const Arrays &x) {
        return elementwise(x, [scalar](const Elements &e) { return scalar(e[0]); });
      });
}

static Row &binary(Table &table, const std::string &op, double (*scalar)(double, double)) {
  return table.row(op, binaryShapes())
      .body("%y = fw." + op + " %0, %1 : ($0, $1) -> $y")
      .reference([scalar](const Arrays &x) {
        return elementwise(x, [scalar](const Elements &e) { return scalar(e[0], e[1]); });
      });
}

/// A comparison or another op whose result is a boolean.
static Row &predicate(Table &table, const std::string &op, bool (*scalar)(double, double)) {
  return table.row(op, binaryShapes())
      .body("%y = fw." + op + " %0, %1 : ($0, $1) -> $y")
      .reference([scalar](const Arrays &x) {
        return elementwise(x, [scalar](const Elements &e) { return scalar(e[0], e[1]); }, "i1");
      })
      .noGradient();
}

static double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

void addElementwiseRows(Table &table) {
  binary(table, "add", [](double a, double b) { return a + b; });
  binary(table, "sub", [](double a, double b) { return a - b; });
  binary(table, "mul", [](double a, double b) { return a * b; });
  binary(table, "div", [](double a, double b) { return a / b; }).range(0.5, 2);
  binary(table, "pow", [](double a, double b) { return std::pow(a, b); }).range(0.5, 2);
  binary(table, "maximum", [](double a, double b) { return std::max(a, b); });

  unary(table, "neg", [](double x) { return -x; });
  unary(table, "exp", [](double x) { return std::exp(x); });
  unary(table, "log", [](double x) { return std::log(x); }).range(0.5, 2);
  unary(table, "sqrt", [](double x) { return std::sqrt(x); }).range(0.5, 2);
  unary(table, "tanh", [](double x) { return std::tanh(x); });
  unary(table, "sigmoid", sigmoid);
  unary(table, "relu", [](double x) { return std::max(x, 0.0); });
  unary(table, "sin", [](double x) { return std::sin(x); });
  unary(table, "cos", [](double x) { return std::cos(x); });
  unary(table, "softplus", [](double x) { return std::log1p(std::exp(x)); });

  predicate(table, "greater", [](double a, double b) { return a > b; });

  table.row("select", ternaryShapes())
      .operand(0, {"i1", 0, 1})
      .operand(1, {})
      .body("%y = fw.select %0, %1, %2 : ($0, $1, $2) -> $y")
      .reference([](const Arrays &x) {
        return elementwise(x, [](const Elements &e) { return e[0] != 0 ? e[1] : e[2]; });
      });
}

} // namespace formwork::test
