// Rows of Elementwise.td.
#include "tests/numeric/Table.h"

#include <algorithm>
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

/// The same on integers, small enough that ties occur.
static void integers(Table &table, const std::string &op, double (*scalar)(double, double)) {
  table.row(op + "/integers", binaryShapes())
      .operand(0, {"i64", -3, 3})
      .body("%y = fw." + op + " %0, %1 : ($0, $1) -> $y")
      .reference([scalar](const Arrays &x) {
        return elementwise(x, [scalar](const Elements &e) { return scalar(e[0], e[1]); }, "i64");
      })
      .noGradient();
}

/// A comparison, of numbers and of integers.
static void comparison(Table &table, const std::string &op, bool (*scalar)(double, double)) {
  predicate(table, op, scalar);
  Row &ties = predicate(table, op + "/integers", scalar).operand(0, {"i32", -2, 2});
  ties.body("%y = fw." + op + " %0, %1 : ($0, $1) -> $y");
}

static void logical(Table &table, const std::string &op, bool (*scalar)(double, double)) {
  predicate(table, op, scalar).operand(0, {"i1", 0, 1});
}

static void casts(Table &table) {
  table.row("cast", binaryShapes())
      .operand(0, {"i32", -9, 9})
      .operand(1, {})
      .body([](const Instance &one) {
        Array number(one.shape(0));
        return "%n = fw.cast %0 to f64 : ($0) -> " + number.type() + "\n  %y = fw.mul %n, %1 : (" +
               number.type() + ", $1) -> $y";
      })
      .reference([](const Arrays &x) {
        return elementwise(x, [](const Elements &e) { return e[0] * e[1]; });
      });
  auto forward = [&](const std::string &mode, const std::string &to, double (*scalar)(double)) {
    return &table.row("cast/" + mode, unaryShapes())
                .body("%y = fw.cast %0 to " + to + " : ($0) -> $y")
                .reference([=](const Arrays &x) {
                  return elementwise(x, [=](const Elements &e) { return scalar(e[0]); }, to);
                })
                .noGradient();
  };
  forward("towards_zero", "i32", [](double x) { return std::trunc(x); })->range(-9, 9);
  forward("saturating", "i32", [](double x) {
    return std::trunc(std::clamp(x, -2147483648.0, 2147483647.0));
  })->range(-1e10, 1e10);
  forward("to_boolean", "i1", [](double x) { return x != 0 ? 1.0 : 0.0; });
  forward("rounding", "f32", [](double x) { return double(float(x)); });
  forward("of_boolean", "f64", [](double x) { return x; })->operand(0, {"i1", 0, 1});
}

static double normalCdf(double x) { return std::erfc(-x * std::sqrt(0.5)) / 2; }

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

  unary(table, "abs", [](double x) { return std::abs(x); });
  unary(table, "sign", [](double x) { return x > 0 ? 1.0 : -1.0; });
  unary(table, "floor", [](double x) { return std::floor(x); });
  unary(table, "square", [](double x) { return x * x; });
  unary(table, "expm1", [](double x) { return std::expm1(x); });
  unary(table, "log1p", [](double x) { return std::log1p(x); }).range(-0.5, 2);
  unary(table, "rsqrt", [](double x) { return 1 / std::sqrt(x); }).range(0.5, 2);
  unary(table, "erf", [](double x) { return std::erf(x); });
  unary(table, "gelu", [](double x) { return x * normalCdf(x); });
  unary(table, "gelu_tanh", [](double x) {
    return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  });
  binary(table, "minimum", [](double a, double b) { return std::min(a, b); });
  binary(table, "sigmoid_cross_entropy", [](double logit, double label) {
    return -label * std::log(sigmoid(logit)) - (1 - label) * std::log(sigmoid(-logit));
  });

  integers(table, "add", [](double a, double b) { return a + b; });
  integers(table, "sub", [](double a, double b) { return a - b; });
  integers(table, "mul", [](double a, double b) { return a * b; });
  integers(table, "maximum", [](double a, double b) { return std::max(a, b); });
  integers(table, "minimum", [](double a, double b) { return std::min(a, b); });

  comparison(table, "greater", [](double a, double b) { return a > b; });
  comparison(table, "greater_equal", [](double a, double b) { return a >= b; });
  comparison(table, "less", [](double a, double b) { return a < b; });
  comparison(table, "less_equal", [](double a, double b) { return a <= b; });
  comparison(table, "equal", [](double a, double b) { return a == b; });
  comparison(table, "not_equal", [](double a, double b) { return a != b; });
  logical(table, "logical_and", [](double a, double b) { return a != 0 && b != 0; });
  logical(table, "logical_or", [](double a, double b) { return a != 0 || b != 0; });
  table.row("logical_not", unaryShapes())
      .operand(0, {"i1", 0, 1})
      .body("%y = fw.logical_not %0 : ($0) -> $y")
      .reference([](const Arrays &x) {
        return elementwise(x, [](const Elements &e) { return e[0] == 0; }, "i1");
      })
      .noGradient();
  casts(table);

  table.row("select", ternaryShapes())
      .operand(0, {"i1", 0, 1})
      .operand(1, {})
      .body("%y = fw.select %0, %1, %2 : ($0, $1, $2) -> $y")
      .reference([](const Arrays &x) {
        return elementwise(x, [](const Elements &e) { return e[0] != 0 ? e[1] : e[2]; });
      });
}

} // namespace formwork::test
