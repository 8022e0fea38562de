// Rows of Shape.cpp.
#include "tests/numeric/Table.h"

namespace formwork::test {

/// Every axis of `x`, as an attribute.
static std::string allAxes(const Array &x) {
  std::string text = "[";
  for (int64_t i = 0; i < x.rank(); ++i)
    text += (i ? ", " : "") + std::to_string(i);
  return text + "]";
}

static void addConstant(Table &table) {
  table.row("constant", unaryShapes())
      .body([](const Instance &one) {
        return "%c = fw.constant dense<1.5> : " + one.operands[0].type() +
               "\n  %y = fw.mul %0, %c : ($0, $0) -> $y";
      })
      .reference([](const Arrays &x) {
        return elementwise(x, [](const std::vector<double> &e) { return e[0] * 1.5; });
      });
}

static void addReshape(Table &table) {
  // What it becomes, by example: the second operand's shape.
  table
      .row("reshape", {{{2, 6}, {3, 4}},
                       {{12}, {2, 3, 2}},
                       {{2, 3, 2}, {12}},
                       {{1}, {}},
                       {{}, {1, 1}},
                       {{0, 3}, {2, 0}},
                       {{7, 11}, {11, 7}},
                       {{1, 13}, {13}},
                       {{5, 1, 2}, {10, 1}},
                       {{4, 6}, {2, 2, 3, 2}}})
      .body([](const Instance &one) {
        std::string shape;
        for (int64_t size : one.shape(1))
          shape += (shape.empty() ? "" : ", ") + std::to_string(size);
        return "%x = fw.reshape %0 to [" + shape + "] : ($0) -> $1\n" +
               "  %y = fw.mul %x, %1 : ($1, $1) -> $y";
      })
      .reference([](const Arrays &x) {
        Array flat = x[0];
        flat.shape = x[1].shape;
        return elementwise({flat, x[1]}, [](const std::vector<double> &e) { return e[0] * e[1]; });
      })
      .notGeneral();
}

static void addRepetition(Table &table) {
  // Axis 1 is new, the others match or stretch.
  table
      .row("broadcast_like", {{{3, 1}, {3, 2, 4}},
                              {{3, 4}, {3, 2, 4}},
                              {{1, 1}, {3, 2, 4}},
                              {{3}, {3, 5}},
                              {{1}, {7, 1}},
                              {{0}, {0, 3}},
                              {{1, 1}, {2, 0, 3}},
                              {{1, 1}, {1, 1, 1}},
                              {{13, 1}, {13, 2, 11}},
                              {{2, 1, 5}, {2, 3, 4, 5}}})
      .body("%y = fw.broadcast_like %0, %1 axes = [1] : ($0, $1) -> $y")
      .reference([](const Arrays &x) {
        Array with = x[0];
        with.shape.insert(with.shape.begin() + 1, 1);
        return elementwise({with, x[1]}, [](const std::vector<double> &e) { return e[0]; });
      });

  table
      .row("sum_like", {{{2, 3, 4}, {3, 1}},
                        {{2, 3, 4}, {}},
                        {{3, 4}, {3, 4}},
                        {{3, 4}, {1, 4}},
                        {{5}, {1}},
                        {{}, {}},
                        {{1, 1}, {1}},
                        {{0, 3}, {3}},
                        {{2, 0}, {2, 1}},
                        {{13, 11}, {11}}})
      .body("%y = fw.sum_like %0, %1 : ($0, $1) -> $y")
      .reference([](const Arrays &x) {
        Array y(x[1].shape);
        forEachIndex(x[0].shape, [&](const Index &index) { y.at(index) += x[0].at(index); });
        return y;
      });
}

static void addCount(Table &table) {
  table.row("count", unaryShapes())
      .body([](const Instance &one) {
        return "%n = fw.count %0 axes = " + allAxes(one.operands[0]) +
               " : ($0) -> tensor<f64>\n  %y = fw.mul %0, %n : ($0, tensor<f64>) -> $y";
      })
      .reference([](const Arrays &x) {
        return elementwise(x, [&](const std::vector<double> &e) { return e[0] * x[0].size(); });
      });
}

void addShapeRows(Table &table) {
  addConstant(table);
  addReshape(table);
  addRepetition(table);
  addCount(table);
}

} // namespace formwork::test
