// Rows of Normalization.cpp.
#include "tests/numeric/Table.h"

#include <cmath>

namespace formwork::test {

using Elements = std::vector<double>;

static constexpr double epsilon = 1e-3;

/// The mean over the axes, which are kept.
static Array meanOf(const Array &x, const Shape &axes) {
  double count = 1;
  for (int64_t axis : axes)
    count *= x.shape[axis];
  Array y = reduce(x, axes, true, 0, [](double a, double b) { return a + b; });
  for (double &element : y.values)
    element /= count;
  return y;
}

static Array varianceOf(const Array &x, const Shape &axes) {
  auto square = [](const Elements &e) { return (e[0] - e[1]) * (e[0] - e[1]); };
  return meanOf(elementwise({x, meanOf(x, axes)}, square), axes);
}

static Array normalized(const Array &x, const Shape &axes, const Array &gamma, const Array &beta) {
  return elementwise({x, meanOf(x, axes), varianceOf(x, axes), gamma, beta}, [](const Elements &e) {
    return (e[0] - e[1]) / std::sqrt(e[2] + epsilon) * e[3] + e[4];
  });
}

/// `parameter`, whose dimensions are those of `x` at `axes`, with a 1 for each of the others.
static Array along(Array parameter, const Array &x, const Shape &axes) {
  parameter.shape.assign(x.rank(), 1);
  for (int64_t axis : axes)
    parameter.shape[axis] = x.shape[axis];
  return parameter;
}

static Shape others(const Array &x, int64_t axis) {
  Shape axes;
  for (int64_t i = 0; i < x.rank(); ++i)
    if (i != axis)
      axes.push_back(i);
  return axes;
}

static std::vector<Shapes> featureShapes() {
  return {{{5, 3}, {3}, {3}},       {{2, 3, 4}, {4}, {4}}, {{1, 2}, {2}, {2}}, {{7, 1}, {1}, {1}},
          {{2, 2, 3, 2}, {2}, {2}}, {{0, 3}, {3}, {3}},    {{3, 0}, {0}, {0}}, {{13, 2}, {2}, {2}},
          {{4, 1, 3}, {3}, {3}},    {{1, 1}, {1}, {1}}};
}

static void addBatchNorm(Table &table) {
  auto body = [](int64_t axis, const std::string &result) {
    return [=](const Instance &one) {
      std::string statistics = one.operands[1].type();
      return "%n, %mean, %variance = fw.batch_norm %0, %1, %2 axis " + std::to_string(axis) +
             " epsilon 1.0e-3 : ($0, $1, $2) -> ($0, $1, $1)\n  " + result;
    };
  };
  // Axis 1 of two dimensions is the last.
  std::vector<Shapes> second = featureShapes();
  for (Shapes &shapes : second)
    shapes[1] = shapes[2] = {shapes[0][1]};
  // The statistics of no examples are not numbers, nor are slopes that lead through them.
  std::vector<Shapes> withExamples = second;
  withExamples[5] = {{11, 1}, {1}, {1}};
  std::string same = "%y = fw.mul %n, %n : ($0, $0) -> $y";
  table.row("batch_norm", withExamples).body(body(1, same)).reference([](const Arrays &x) {
    Array y = normalized(x[0], others(x[0], 1), along(x[1], x[0], {1}), along(x[2], x[0], {1}));
    return elementwise({y}, [](const Elements &e) { return e[0] * e[0]; });
  });
  table.row("batch_norm/statistics", second)
      .body(body(1, "%m = fw.mul %mean, %mean : ($1, $1) -> $1\n"
                    "  %y = fw.mul %m, %variance : ($1, $1) -> $y"))
      .reference([](const Arrays &x) {
        Shape axes = others(x[0], 1);
        Array y = elementwise({meanOf(x[0], axes), varianceOf(x[0], axes)},
                              [](const Elements &e) { return e[0] * e[0] * e[1]; });
        y.shape = {x[0].shape[1]};
        return y;
      });
}

void addNormalizationRows(Table &table) {
  addBatchNorm(table);

  table.row("layer_norm", featureShapes())
      .body([](const Instance &one) {
        return "%y = fw.layer_norm %0, %1, %2 axes " + list({one.operands[0].rank() - 1}) +
               " epsilon 1.0e-3 : ($0, $1, $2) -> $y";
      })
      .reference([](const Arrays &x) { return normalized(x[0], {x[0].rank() - 1}, x[1], x[2]); });

  // Over the first and the last dimension of three.
  std::vector<Shapes> outer;
  for (const Shape &x : std::vector<Shape>{{2, 3, 4},
                                           {1, 2, 3},
                                           {3, 1, 2},
                                           {2, 2, 1},
                                           {1, 5, 1},
                                           {0, 2, 2},
                                           {2, 0, 3},
                                           {3, 2, 5},
                                           {1, 1, 7},
                                           {4, 3, 2}})
    outer.push_back({x, {x[0], x[2]}, {x[0], x[2]}});
  table.row("layer_norm/outer_axes", outer)
      .body("%y = fw.layer_norm %0, %1, %2 axes [0, 2] epsilon 1.0e-3 : ($0, $1, $2) -> $y")
      .reference([](const Arrays &x) {
        return normalized(x[0], {0, 2}, along(x[1], x[0], {0, 2}), along(x[2], x[0], {0, 2}));
      });
}

} // namespace formwork::test
