// Rows of Indexing.cpp.
#include "tests/numeric/Table.h"

#include <algorithm>

namespace formwork::test {

/// The row of a table of `rows` rows that an index means.
static int64_t clampedRow(double index, int64_t rows) {
  return std::clamp<int64_t>(index, 0, rows - 1);
}

/// Calls `visit` with the index into the indices, and that into all rows and that into one.
static void forEachRowElement(const Array &indices, const Shape &table,
                              const std::function<void(int64_t, Index, Index)> &visit) {
  forEachIndex(indices.shape, [&](const Index &at) {
    int64_t row = clampedRow(indices.at(at), table[0]);
    forEachIndex(Shape(table.begin() + 1, table.end()), [&](const Index &rest) {
      Index rows = at, one = {row};
      rows.insert(rows.end(), rest.begin(), rest.end());
      one.insert(one.end(), rest.begin(), rest.end());
      visit(row, rows, one);
    });
  });
}

/// Tables and indices; some indices lie outside.
static std::vector<Shapes> lookups() {
  return {{{4, 3}, {5}}, {{1, 2}, {3}},    {{4}, {2, 3}},       {{3, 2, 2}, {4}}, {{4, 1}, {}},
          {{2, 3}, {0}}, {{3, 0}, {2, 2}}, {{13, 11}, {1, 17}}, {{4, 3}, {2, 0}}, {{1}, {1}}};
}

static Shape rowsShape(const Shape &table, const Shape &indices) {
  Shape shape = indices;
  shape.insert(shape.end(), table.begin() + 1, table.end());
  return shape;
}

static void addLookups(Table &table) {
  Operand indices{"i32", -1, 5};
  table.row("gather", lookups())
      .operand(0, {})
      .operand(1, indices)
      .body("%y = fw.gather %0, %1 : ($0, $1) -> $y")
      .reference([](const Arrays &x) {
        Array y(rowsShape(x[0].shape, x[1].shape));
        forEachRowElement(x[1], x[0].shape,
                          [&](int64_t, Index rows, Index one) { y.at(rows) = x[0].at(one); });
        return y;
      });

  std::vector<Shapes> updates;
  for (const Shapes &shapes : lookups())
    updates.push_back({shapes[1], rowsShape(shapes[0], shapes[1]), shapes[0]});
  table.row("scatter_add", updates)
      .operand(0, indices)
      .operand(1, {})
      .body("%y = fw.scatter_add %0, %1, %2 : ($0, $1, $2) -> $y")
      .reference([](const Arrays &x) {
        Array y(x[2].shape);
        forEachRowElement(x[0], y.shape,
                          [&](int64_t, Index rows, Index one) { y.at(one) += x[1].at(rows); });
        return y;
      });
}

void addIndexingRows(Table &table) {
  table.row("one_hot", unaryShapes())
      .operand(0, {"i64", -1, 3})
      .body("%y = fw.one_hot %0 depth 3 to f64 : ($0) -> $y")
      .reference([](const Arrays &x) {
        Shape shape = x[0].shape;
        shape.push_back(3);
        Array y(shape);
        forEachIndex(shape, [&](const Index &index) {
          Index at(index.begin(), index.end() - 1);
          y.at(index) = x[0].at(at) == index.back();
        });
        return y;
      })
      .noGradient();

  table
      .row("iota_like", {{{3, 4}},
                         {{2, 3, 5}},
                         {{7}},
                         {{1, 5}},
                         {{5, 1}},
                         {{1}},
                         {{0}},
                         {{0, 3}},
                         {{13, 11}},
                         {{4, 1, 2}}})
      .body("%y = fw.iota_like %0 axis 0 : ($0) -> $y")
      .reference([](const Arrays &x) {
        Array y(x[0].shape, "i64");
        forEachIndex(y.shape, [&](const Index &index) { y.at(index) = index[0]; });
        return y;
      })
      .noGradient();

  addLookups(table);
}

} // namespace formwork::test
