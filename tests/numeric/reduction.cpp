// Rows of Reduction.cpp.
#include "tests/numeric/Table.h"

#include <cmath>

namespace formwork::test {

/// One row over the last axis, one over all others, one over all axes with keepdims.
static void
addReduction(Table &table, const std::string &op,
             std::function<Array(const Array &, const std::vector<int64_t> &, bool)> fold,
             bool differentiable) {
  auto lastAxis = [](const Array &x) { return std::vector<int64_t>{x.rank() - 1}; };
  Row &last = table
                  .row(op, {{{3, 4}},
                            {{2, 3, 5}},
                            {{7}},
                            {{1, 5}},
                            {{5, 1}},
                            {{1}},
                            {{0}},
                            {{0, 3}},
                            {{13, 11}},
                            {{2, 3, 0}}})
                  .body([op](const Instance &one) {
                    return "%y = fw." + op + " %0 axes = [" +
                           std::to_string(one.operands[0].rank() - 1) + "] : ($0) -> $y";
                  })
                  .reference([=](const Arrays &x) { return fold(x[0], lastAxis(x[0]), false); });
  auto others = [](const Array &x) {
    std::vector<int64_t> axes;
    for (int64_t i = 0; i + 1 < x.rank(); ++i)
      axes.push_back(i);
    return axes;
  };
  Row &butLast = table
                     .row(op + "/but_last", {{{5, 1}},
                                             {{2, 3, 1}},
                                             {{192, 1}},
                                             {{1, 1}},
                                             {{0, 1}},
                                             {{4, 1, 2}},
                                             {{1, 5}},
                                             {{2, 3, 5}},
                                             {{13, 11}},
                                             {{3, 0}}})
                     .body([=](const Instance &one) {
                       std::string axes;
                       for (int64_t axis : others(one.operands[0]))
                         axes += (axis ? ", " : "") + std::to_string(axis);
                       return "%y = fw." + op + " %0 axes = [" + axes + "] : ($0) -> $y";
                     })
                     .reference([=](const Arrays &x) { return fold(x[0], others(x[0]), false); });
  Row &all = table.row(op + "/all_kept", unaryShapes())
                 .body([op](const Instance &one) {
                   std::string axes;
                   for (int64_t i = 0; i < one.operands[0].rank(); ++i)
                     axes += (i ? ", " : "") + std::to_string(i);
                   return "%y = fw." + op + " %0 axes = [" + axes + "] keepdims : ($0) -> $y";
                 })
                 .reference([=](const Arrays &x) {
                   std::vector<int64_t> axes;
                   for (int64_t i = 0; i < x[0].rank(); ++i)
                     axes.push_back(i);
                   return fold(x[0], axes, true);
                 });
  for (Row *row : {&last, &butLast, &all})
    row->differentiable = differentiable;
}

static Array sum(const Array &x, const std::vector<int64_t> &axes, bool keepdims) {
  return reduce(x, axes, keepdims, 0, [](double a, double b) { return a + b; });
}

/// Of no elements at all: 0 / 0, as in NumPy.
static Array mean(const Array &x, const std::vector<int64_t> &axes, bool keepdims) {
  Array y = sum(x, axes, keepdims);
  double count = 1;
  for (int64_t axis : axes)
    count *= x.shape[axis];
  for (double &element : y.values)
    element /= count;
  return y;
}

static Array max(const Array &x, const std::vector<int64_t> &axes, bool keepdims) {
  return reduce(x, axes, keepdims, -INFINITY, [](double a, double b) { return std::max(a, b); });
}

static Array min(const Array &x, const std::vector<int64_t> &axes, bool keepdims) {
  return reduce(x, axes, keepdims, INFINITY, [](double a, double b) { return std::min(a, b); });
}

/// Of booleans, over the first axis.
static void addPredicate(Table &table, const std::string &op, double initial,
                         double (*combine)(double, double)) {
  table
      .row(op, {{{3, 4}},
                {{2, 3, 5}},
                {{7}},
                {{1, 5}},
                {{5, 1}},
                {{1}},
                {{0}},
                {{0, 3}},
                {{13, 11}},
                {{3, 0}}})
      .operand(0, {"i1", 0, 1})
      .body("%y = fw." + op + " %0 axes = [0] : ($0) -> $y")
      .reference([=](const Arrays &x) { return reduce(x[0], {0}, false, initial, combine); })
      .noGradient();
}

/// Over the first axis.
static void addArgmax(Table &table, const std::string &name, Operand kind) {
  table
      .row(name, {{{3, 4}},
                  {{2, 3, 5}},
                  {{7}},
                  {{1, 5}},
                  {{5, 1}},
                  {{1}},
                  {{3, 0}},
                  {{11, 2}},
                  {{13, 11}},
                  {{4, 1, 2}}})
      .operand(0, kind)
      .body("%y = fw.argmax %0 axis 0 : ($0) -> $y")
      .reference([](const Arrays &x) {
        Array best = max(x[0], {0}, true);
        Array y(Shape(x[0].shape.begin() + 1, x[0].shape.end()), "i64", -1);
        forEachIndex(x[0].shape, [&](const Index &index) {
          double &first = y.at(Index(index.begin() + 1, index.end()));
          if (first < 0 && x[0].at(index) == best.at(index))
            first = index[0];
        });
        return y;
      })
      .noGradient();
}

void addReductionRows(Table &table) {
  addReduction(table, "reduce_sum", sum, true);
  addReduction(table, "reduce_mean", mean, true);
  addReduction(table, "reduce_max", max, true);
  addReduction(table, "reduce_min", min, true);
  addPredicate(table, "reduce_any", 0, [](double a, double b) { return std::max(a, b); });
  addPredicate(table, "reduce_all", 1, [](double a, double b) { return std::min(a, b); });
  addArgmax(table, "argmax", {"f64", -2, 2});
  addArgmax(table, "argmax/ties", {"i32", 0, 2});
}

} // namespace formwork::test
