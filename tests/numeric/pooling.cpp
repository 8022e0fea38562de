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
  Shape resultShape(const Shape &x) const {
    Shape shape = x;
    for (size_t i = 0; i < window.size(); ++i)
      shape[i + 1] = (x[i + 1] + padding[2 * i] + padding[2 * i + 1] - window[i]) / strides[i] + 1;
    return shape;
  }
  /// Calls `visit` with the index of a window, the number of a place in it, and the index into x.
  void forEachPlace(const Shape &x,
                    const std::function<void(const Index &, int64_t, Index)> &visit) const {
    forEachIndex(resultShape(x), [&](const Index &y) {
      forEachIndex(window, [&](const Index &place) {
        Index from = y;
        int64_t number = 0;
        bool inside = true;
        for (size_t i = 0; i < window.size(); ++i) {
          from[i + 1] = y[i + 1] * strides[i] + place[i] - padding[2 * i];
          inside &= from[i + 1] >= 0 && from[i + 1] < x[i + 1];
          number = number * window[i] + place[i];
        }
        if (inside)
          visit(y, number, from);
      });
    });
  }
};
} // namespace

static std::vector<Mode> modes() {
  return {{"tiles", {2, 2}, {2, 2}, {0, 0, 0, 0}},
          {"overlapping", {3, 2}, {1, 2}, {1, 1, 0, 1}},
          {"gaps", {2, 1}, {3, 2}, {1, 0, 0, 0}},
          {"cropped", {2, 2}, {2, 2}, {0, -3, 0, -1}},
          {"1d", {3}, {2}, {1, 1}},
          {"3d", {2, 1, 2}, {2, 1, 2}, {0, 0, 0, 0, 0, 0}}};
}

static std::vector<Shape> imageShapes(const Mode &mode) {
  if (mode.window.size() == 1)
    return {{2, 4, 2}, {1, 2, 1}, {1, 6, 19}, {0, 4, 1}, {3, 5, 1},
            {1, 7, 2}, {2, 3, 2}, {1, 4, 0},  {1, 1, 3}, {2, 8, 1}};
  if (mode.window.size() == 3)
    return {{2, 4, 3, 5, 2}, {1, 2, 1, 2, 1}, {1, 3, 2, 2, 17}, {0, 2, 1, 2, 1}, {3, 2, 2, 3, 1},
            {1, 4, 1, 4, 2}, {2, 3, 2, 5, 2}, {1, 2, 2, 2, 0},  {1, 5, 1, 2, 3}, {2, 2, 3, 4, 1}};
  std::vector<Shape> all = {{2, 4, 4, 2}, {1, 2, 2, 1}, {1, 4, 6, 3}, {0, 4, 4, 1}, {3, 5, 5, 1},
                            {1, 7, 4, 2}, {2, 3, 2, 2}, {1, 6, 3, 1}, {1, 4, 4, 0}, {2, 8, 2, 1}};
  for (Shape &shape : all) // longer by what is read by no window
    for (size_t i = 0; i < mode.window.size(); ++i)
      shape[i + 1] -= std::min<int64_t>(mode.padding[2 * i + 1], 0);
  return all;
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
  for (const Shape &shape : imageShapes(mode))
    images.push_back({shape});
  table.row("max_pool/" + mode.name, images)
      .body("%y = fw.max_pool %0" + mode.attributes() + " : ($0) -> $y")
      .reference([mode](const Arrays &x) { return pool(mode, x[0]).first; });
  table.row("max_pool_indices/" + mode.name, images)
      .body([mode](const Instance &one) {
        std::string pooled = Array(mode.resultShape(one.shape(0))).type();
        return "%m = fw.max_pool %0" + mode.attributes() + " : ($0) -> " + pooled +
               "\n  %y = fw.max_pool_indices %0, %m" + mode.attributes() + " : ($0, " + pooled +
               ") -> $y";
      })
      .reference([mode](const Arrays &x) { return pool(mode, x[0]).second; })
      .noGradient();
}

/// Indices that are no window's maximum are as good for these; one beyond the window is nowhere.
static void addMoves(Table &table, const Mode &mode) {
  double places = 1;
  for (int64_t size : mode.window)
    places *= double(size);
  Operand indices{"i32", 0, places};
  std::vector<Shapes> take, put;
  for (const Shape &shape : imageShapes(mode)) {
    take.push_back({shape, mode.resultShape(shape)});
    put.push_back({mode.resultShape(shape), mode.resultShape(shape), shape});
  }
  table.row("pool_take/" + mode.name, take)
      .operand(0, {})
      .operand(1, indices)
      .body("%y = fw.pool_take %0, %1" + mode.attributes() + " : ($0, $1) -> $y")
      .reference([mode](const Arrays &x) {
        Array y(x[1].shape);
        mode.forEachPlace(x[0].shape, [&](const Index &at, int64_t place, Index from) {
          if (x[1].at(at) == place)
            y.at(at) = x[0].at(from);
        });
        return y;
      });
  table.row("pool_put/" + mode.name, put)
      .operand(0, {})
      .operand(1, indices)
      .operand(2, {})
      .body("%y = fw.pool_put %0, %1, %2" + mode.attributes() + " : ($0, $1, $2) -> $y")
      .reference([mode](const Arrays &x) {
        Array y(x[2].shape);
        mode.forEachPlace(y.shape, [&](const Index &at, int64_t place, Index to) {
          if (x[1].at(at) == place)
            y.at(to) += x[0].at(at);
        });
        return y;
      });
}

static void addSums(Table &table, const Mode &mode) {
  std::vector<Shapes> sum, spread;
  for (const Shape &shape : imageShapes(mode)) {
    sum.push_back({shape});
    spread.push_back({mode.resultShape(shape), shape});
  }
  table.row("pool_sum/" + mode.name, sum)
      .body("%y = fw.pool_sum %0" + mode.attributes() + " : ($0) -> $y")
      .reference([mode](const Arrays &x) {
        Array y(mode.resultShape(x[0].shape));
        mode.forEachPlace(x[0].shape,
                          [&](const Index &at, int64_t, Index from) { y.at(at) += x[0].at(from); });
        return y;
      });
  table.row("pool_spread/" + mode.name, spread)
      .body("%y = fw.pool_spread %0, %1" + mode.attributes() + " : ($0, $1) -> $y")
      .reference([mode](const Arrays &x) {
        Array y(x[1].shape);
        mode.forEachPlace(y.shape,
                          [&](const Index &at, int64_t, Index to) { y.at(to) += x[0].at(at); });
        return y;
      });
}

/// The hyperbolic tangent of a convolution by 3 x 2 elements and a bias, without padding.
static Array activate(const Arrays &x) {
  const Array &image = x[0], &kernel = x[1], &bias = x[2];
  Array y({image.shape[0], image.shape[1] - 2, image.shape[2] - 1, kernel.shape[3]});
  forEachIndex(y.shape, [&](const Index &at) {
    double sum = bias.at({at[3]});
    forEachIndex({3, 2, kernel.shape[2]}, [&](const Index &k) {
      sum += image.at({at[0], at[1] + k[0], at[2] + k[1], k[2]}) *
             kernel.at({k[0], k[1], k[2], at[3]});
    });
    y.at(at) = std::tanh(sum);
  });
  return y;
}

/// Poolings of what nothing else reads: on CPUs each is one kernel with its convolution. The
/// maxima's gradients have steps that differences of products of so many numbers meet; they are
/// measured above.
static void addPoolingsOfConvolutions(Table &table) {
  Mode tiles{"tiles", {2, 2}, {2, 2}, {0, 0, 0, 0}}, narrow{"narrow", {3, 2}, {3, 2}, {0, 0, 0, 0}};
  std::vector<Shapes> shapes = {
      {{2, 8, 7, 2}, {3, 2, 2, 3}, {3}},    {{1, 8, 13, 1}, {3, 2, 1, 1}, {1}},
      {{3, 14, 9, 1}, {3, 2, 1, 17}, {17}}, {{0, 8, 7, 1}, {3, 2, 1, 2}, {2}},
      {{1, 8, 9, 3}, {3, 2, 3, 9}, {9}},    {{5, 8, 9, 1}, {3, 2, 1, 4}, {4}},
      {{1, 26, 7, 1}, {3, 2, 1, 5}, {5}},   {{2, 8, 19, 1}, {3, 2, 1, 1}, {1}},
      {{1, 14, 13, 2}, {3, 2, 2, 2}, {2}},  {{1, 8, 7, 1}, {3, 2, 1, 0}, {0}}};
  for (const Mode &mode : {tiles, narrow}) {
    auto body = [mode](std::string pooling) {
      return [mode, pooling](const Instance &one) {
        Shape image = {one.shape(0)[0], one.shape(0)[1] - 2, one.shape(0)[2] - 1, one.shape(1)[3]};
        std::string type = Array(image).type();
        return "%c = fw.conv %0, %1 strides [1, 1] padding [0, 0, 0, 0] dilations [1, 1] groups 1 "
               ": ($0, $1) -> " +
               type + "\n  %b = fw.add %c, %2 : (" + type + ", $2) -> " + type +
               "\n  %r = fw.tanh %b : (" + type + ") -> " + type + "\n  %y = fw." + pooling +
               " %r" + mode.attributes() + " : (" + type + ") -> $y";
      };
    };
    table.row("max_pool/of_convolution_" + mode.name, shapes)
        .body(body("max_pool"))
        .reference([mode](const Arrays &x) { return pool(mode, activate(x)).first; })
        .generalIn({0})
        .noGradient();
    table.row("pool_sum/of_convolution_" + mode.name, shapes)
        .body(body("pool_sum"))
        .reference([mode](const Arrays &x) {
          Array image = activate(x), y(mode.resultShape(image.shape));
          mode.forEachPlace(image.shape, [&](const Index &at, int64_t, Index from) {
            y.at(at) += image.at(from);
          });
          return y;
        })
        .generalIn({0});
  }
}

void addPoolingRows(Table &table) {
  addPoolingsOfConvolutions(table);
  for (const Mode &mode : modes()) {
    addMaxima(table, mode);
    addMoves(table, mode);
    addSums(table, mode);
  }
}

} // namespace formwork::test
