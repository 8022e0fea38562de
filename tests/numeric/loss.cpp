// Rows of Loss.cpp: over the last axis.
#include "tests/numeric/Table.h"

#include <cmath>

namespace formwork::test {

static std::vector<Shapes> rowShapes() {
  return {{{3, 4}}, {{2, 3, 5}}, {{7}},       {{1, 5}},   {{5, 1}},
          {{1}},    {{0, 3}},    {{2, 0, 3}}, {{13, 11}}, {{4, 1, 2}}};
}

static Array logSoftmax(const Array &x) {
  auto add = [](double a, double b) { return a + b; };
  Array e = elementwise({x}, [](const std::vector<double> &e) { return std::exp(e[0]); });
  return elementwise({x, reduce(e, {x.rank() - 1}, true, 0, add)},
                     [](const std::vector<double> &e) { return e[0] - std::log(e[1]); });
}

void addLossRows(Table &table) {
  table.row("log_softmax", rowShapes())
      .body("%y = fw.log_softmax %0 : ($0) -> $y")
      .reference([](const Arrays &x) { return logSoftmax(x[0]); });

  table.row("softmax", rowShapes())
      .body("%y = fw.softmax %0 : ($0) -> $y")
      .reference([](const Arrays &x) {
        return elementwise({logSoftmax(x[0])},
                           [](const std::vector<double> &e) { return std::exp(e[0]); });
      });

  std::vector<Shapes> pairs = rowShapes();
  for (Shapes &shapes : pairs)
    shapes.push_back(shapes[0]);
  table.row("softmax_cross_entropy", pairs)
      .range(0, 1)
      .body("%y = fw.softmax_cross_entropy %0, %1 : ($0, $1) -> $y")
      .reference([](const Arrays &x) {
        Array terms = elementwise({logSoftmax(x[0]), x[1]},
                                  [](const std::vector<double> &e) { return -e[0] * e[1]; });
        return reduce(terms, {terms.rank() - 1}, false, 0,
                      [](double a, double b) { return a + b; });
      });

  std::vector<Shapes> examples;
  for (const Shape &shape :
       std::vector<Shape>{{3}, {1}, {}, {0}, {2, 3}, {7}, {1, 1}, {13}, {2, 0}, {5, 1, 2}}) {
    Shape logits = shape;
    logits.push_back(4 + shape.size());
    examples.push_back({logits, shape});
  }
  table.row("sparse_softmax_cross_entropy", examples)
      .operand(0, {})
      .operand(1, {"i32", 0, 3})
      .body("%y = fw.sparse_softmax_cross_entropy %0, %1 : ($0, $1) -> $y")
      .reference([](const Arrays &x) {
        Array y(x[1].shape), all = logSoftmax(x[0]);
        forEachIndex(y.shape, [&](const Index &index) {
          Index at = index;
          at.push_back(x[1].at(index));
          y.at(index) = -all.at(at);
        });
        return y;
      });
}

} // namespace formwork::test
