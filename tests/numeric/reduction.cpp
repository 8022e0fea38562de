// Rows of Reduction.cpp.
#include "tests/numeric/Table.h"

#include <cmath>

namespace formwork::test {

/// One row over the last axis, one over all axes with keepdims.
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
  last.differentiable = all.differentiable = differentiable;
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

void addReductionRows(Table &table) {
  addReduction(table, "reduce_sum", sum, true);
  addReduction(table, "reduce_mean", mean, true);
  addReduction(table, "reduce_max", max, false);
}

} // namespace formwork::test
