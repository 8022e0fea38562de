// Rows of Pooling.cpp.
#include "tests/numeric/Table.h"

#include <cmath>

namespace formwork::test {

namespace {
struct Mode {
  std::string name;
  Shape window, strides, padding;

  std::string attributes() const {
    return " window " + list(window) + " strides " + list(strides) + " padding " + list(padding);
  }
  int64_t positions(int64_t length, int64_t i) const {
    return (length + padding[2 * i] + padding[2 * i + 1] - window[i]) / strides[i] + 1;
  }
  Shape resultShape(const Shape &x) const {
    return {x[0], positions(x[1], 0), positions(x[2], 1), x[3]};
  }
  /// Calls `visit` with the index of a window, the number of a place in it, and the index into x.
  void forEachPlace(const Shape &x,
                    const std::function<void(const Index &, int64_t, Index)> &visit) const {
    forEachIndex(resultShape(x), [&](const Index &y) {
      forEachIndex(window, [&](const Index &place) {
        int64_t row = y[1] * strides[0] + place[0] - padding[0];
        int64_t column = y[2] * strides[1] + place[1] - padding[2];
        if (row >= 0 && row < x[1] && column >= 0 && column < x[2])
          visit(y, place[0] * window[1] + place[1], {y[0], row, column, y[3]});
      });
    });
  }
};
} // namespace

static std::vector<Mode> modes() {
  return {{"tiles", {2, 2}, {2, 2}, {0, 0, 0, 0}},
          {"overlapping", {3, 2}, {1, 2}, {1, 1, 0, 1}},
          {"gaps", {2, 1}, {3, 2}, {1, 0, 0, 0}}};
}

static std::vector<Shape> imageShapes() {
  return {{2, 4, 4, 2}, {1, 2, 2, 1}, {1, 4, 6, 3}, {0, 4, 4, 1}, {3, 5, 5, 1},
          {1, 7, 4, 2}, {2, 3, 2, 2}, {1, 6, 3, 1}, {1, 4, 4, 0}, {2, 8, 2, 1}};
}

/// The largest element of each window, or the place where it is found first.
static std::pair<Array, Array> pool(const Mode &mode, const Array &x) {
  Array y(mode.resultShape(x.shape), "f64", -INFINITY), places(y.shape, "i32");
  mode.forEachPlace(x.shape, [&](const Index &at, int64_t place, Index from) {
    if (x.at(from) > y.at(at)) {
      y.at(at) = x.at(from);
      places.at(at) = place;
    }
  });
  return {y, places};
}

static void addMaxima(Table &table, const Mode &mode) {
  std::vector<Shapes> images;
  for (const Shape &shape : imageShapes())
    images.push_back({shape});
  table.row("max_pool2d/" + mode.name, images)
      .body("%y = fw.max_pool2d %0" + mode.attributes() + " : ($0) -> $y")
      .reference([mode](const Arrays &x) { return pool(mode, x[0]).first; });
  table.row("max_pool2d_indices/" + mode.name, images)
      .body([mode](const Instance &one) {
        std::string pooled = Array(mode.resultShape(one.shape(0))).type();
        return "%m = fw.max_pool2d %0" + mode.attributes() + " : ($0) -> " + pooled +
               "\n  %y = fw.max_pool2d_indices %0, %m" + mode.attributes() + " : ($0, " + pooled +
               ") -> $y";
      })
      .reference([mode](const Arrays &x) { return pool(mode, x[0]).second; })
      .noGradient();
}

/// Indices that are no window's maximum are as good for these; one beyond the window is nowhere.
static void addMoves(Table &table, const Mode &mode) {
  Operand indices{"i32", 0, double(mode.window[0] * mode.window[1])};
  std::vector<Shapes> take, put;
  for (const Shape &shape : imageShapes()) {
    take.push_back({shape, mode.resultShape(shape)});
    put.push_back({mode.resultShape(shape), mode.resultShape(shape), shape});
  }
  table.row("pool2d_take/" + mode.name, take)
      .operand(0, {})
      .operand(1, indices)
      .body("%y = fw.pool2d_take %0, %1" + mode.attributes() + " : ($0, $1) -> $y")
      .reference([mode](const Arrays &x) {
        Array y(x[1].shape);
        mode.forEachPlace(x[0].shape, [&](const Index &at, int64_t place, Index from) {
          if (x[1].at(at) == place)
            y.at(at) = x[0].at(from);
        });
        return y;
      });
  table.row("pool2d_put/" + mode.name, put)
      .operand(0, {})
      .operand(1, indices)
      .operand(2, {})
      .body("%y = fw.pool2d_put %0, %1, %2" + mode.attributes() + " : ($0, $1, $2) -> $y")
      .reference([mode](const Arrays &x) {
        Array y(x[2].shape);
        mode.forEachPlace(y.shape, [&](const Index &at, int64_t place, Index to) {
          if (x[1].at(at) == place)
            y.at(to) += x[0].at(at);
        });
        return y;
      });
}

void addPoolingRows(Table &table) {
  for (const Mode &mode : modes()) {
    addMaxima(table, mode);
    addMoves(table, mode);
  }
}

} // namespace formwork::test
