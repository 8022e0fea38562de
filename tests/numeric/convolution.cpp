// Rows of Convolution.cpp.
#include "tests/numeric/Table.h"

namespace formwork::test {

namespace {
/// The attributes of a convolution, and where its window reads.
struct Mode {
  std::string name;
  Shape strides, padding, dilations;
  int64_t groups;

  std::string attributes() const {
    return " strides " + list(strides) + " padding " + list(padding) + " dilations " +
           list(dilations) + " groups " + std::to_string(groups);
  }
  /// Dimensions of the window.
  size_t rank() const { return strides.size(); }
  int64_t positions(int64_t length, int64_t window, size_t i) const {
    int64_t span = (window - 1) * dilations[i] + 1;
    return (length + padding[2 * i] + padding[2 * i + 1] - span) / strides[i] + 1;
  }
  Shape resultShape(const Shape &x, const Shape &kernel) const {
    Shape shape = {x[0]};
    for (size_t i = 0; i < rank(); ++i)
      shape.push_back(positions(x[i + 1], kernel[i], i));
    shape.push_back(kernel.back());
    return shape;
  }
  /// Calls `visit` with the indices into x, kernel and y of each product that y sums, but for those
  /// in the padding.
  void forEachProduct(const Shape &x, const Shape &kernel,
                      const std::function<void(Index, Index, Index)> &visit) const {
    int64_t filters = kernel.back() / groups;
    Shape places(kernel.begin(), kernel.end() - 1); // and a channel of the group
    forEachIndex(resultShape(x, kernel), [&](const Index &y) {
      forEachIndex(places, [&](const Index &place) {
        Index from = {y[0]}, factor = place;
        for (size_t i = 0; i < rank(); ++i)
          from.push_back(y[i + 1] * strides[i] + place[i] * dilations[i] - padding[2 * i]);
        for (size_t i = 0; i < rank(); ++i)
          if (from[i + 1] < 0 || from[i + 1] >= x[i + 1])
            return;
        from.push_back(y.back() / filters * kernel[rank()] + place.back());
        factor.push_back(y.back());
        visit(from, factor, y);
      });
    });
  }
};
} // namespace

/// x and kernel, for a number of groups.
static std::vector<Shapes> imageShapes(int64_t groups) {
  std::vector<Shapes> all = {{{2, 5, 5, 2}, {3, 3, 2, 4}}, {{1, 4, 5, 1}, {3, 2, 1, 1}},
                             {{1, 3, 3, 1}, {3, 3, 1, 1}}, {{0, 4, 4, 2}, {3, 3, 2, 2}},
                             {{2, 6, 5, 3}, {3, 2, 3, 2}}, {{1, 7, 5, 1}, {3, 3, 1, 3}},
                             {{3, 5, 6, 1}, {3, 3, 1, 2}}, {{1, 9, 5, 2}, {3, 3, 2, 1}},
                             {{2, 5, 9, 1}, {3, 4, 1, 2}}, {{1, 6, 6, 2}, {3, 3, 2, 0}}};
  for (Shapes &shapes : all) {
    shapes[0][3] *= groups;
    shapes[1][3] *= groups;
  }
  return all;
}

static std::vector<Mode> modes() {
  return {
      {"valid", {1, 1}, {0, 0, 0, 0}, {1, 1}, 1},     {"same", {1, 1}, {1, 1, 0, 1}, {1, 1}, 1},
      {"strided", {2, 3}, {1, 0, 0, 1}, {1, 1}, 1},   {"dilated", {1, 1}, {1, 2, 2, 2}, {2, 2}, 1},
      {"cropped", {1, 1}, {1, -1, 1, -1}, {1, 1}, 1}, {"grouped", {2, 1}, {1, 1, 1, 0}, {1, 1}, 2}};
}

/// As many groups as channels and filters.
static std::vector<Shapes> depthwiseShapes(int64_t channels) {
  std::vector<Shapes> all;
  for (Shapes shapes : imageShapes(1)) {
    shapes[0][3] = shapes[1][3] = channels;
    shapes[1][2] = 1;
    all.push_back(shapes);
  }
  return all;
}

static Mode depthwise() { return {"depthwise", {2, 1}, {1, 1, 0, 1}, {1, 1}, 19}; }

static Array convolve(const Mode &mode, const Array &x, const Array &kernel) {
  Array y(mode.resultShape(x.shape, kernel.shape));
  mode.forEachProduct(x.shape, kernel.shape,
                      [&](Index i, Index k, Index o) { y.at(o) += x.at(i) * kernel.at(k); });
  return y;
}

/// The gradients as ops of their own.
static void addGradients(Table &table, const Mode &mode, const std::vector<Shapes> &images) {
  std::vector<Shapes> input, kernel;
  for (const Shapes &shapes : images) {
    Shape y = mode.resultShape(shapes[0], shapes[1]);
    input.push_back({y, shapes[1], shapes[0]});
    kernel.push_back({shapes[0], y, shapes[1]});
  }
  table.row("conv_input_grad/" + mode.name, input)
      .body("%y = fw.conv_input_grad %0, %1, %2" + mode.attributes() + " : ($0, $1, $2) -> $y")
      .reference([mode](const Arrays &x) {
        Array dx(x[2].shape);
        mode.forEachProduct(x[2].shape, x[1].shape, [&](Index i, Index k, Index o) {
          dx.at(i) += x[0].at(o) * x[1].at(k);
        });
        return dx;
      })
      .generalIn({0, 2});
  table.row("conv_kernel_grad/" + mode.name, kernel)
      .body("%y = fw.conv_kernel_grad %0, %1, %2" + mode.attributes() + " : ($0, $1, $2) -> $y")
      .reference([mode](const Arrays &x) {
        Array dk(x[2].shape);
        mode.forEachProduct(x[0].shape, x[2].shape, [&](Index i, Index k, Index o) {
          dk.at(k) += x[0].at(i) * x[1].at(o);
        });
        return dk;
      })
      .generalIn({0, 1});
}

static void addConvolution(Table &table, const Mode &mode, const std::vector<Shapes> &images) {
  table.row("conv/" + mode.name, images)
      .body("%y = fw.conv %0, %1" + mode.attributes() + " : ($0, $1) -> $y")
      .reference([mode](const Arrays &x) { return convolve(mode, x[0], x[1]); })
      .generalIn({0});
}

/// Sequences and volumes.
static void addOtherRanks(Table &table) {
  Mode sequences{"1d", {2}, {2, 1}, {1}, 1},
      volumes{"3d", {1, 2, 1}, {1, 0, 0, 1, 1, 1}, {1, 1, 2}, 1};
  std::vector<Shapes> lines = {{{2, 5, 2}, {3, 2, 4}},   {{1, 4, 1}, {3, 1, 1}},
                               {{1, 3, 19}, {3, 19, 2}}, {{0, 4, 2}, {3, 2, 2}},
                               {{2, 6, 3}, {4, 3, 2}},   {{1, 7, 1}, {5, 1, 3}},
                               {{3, 5, 1}, {3, 1, 17}},  {{1, 9, 2}, {3, 2, 1}},
                               {{2, 13, 1}, {3, 1, 2}},  {{1, 6, 2}, {3, 2, 0}}};
  std::vector<Shapes> cubes = {
      {{1, 3, 4, 5, 2}, {2, 3, 2, 2, 3}},   {{2, 2, 2, 3, 1}, {2, 2, 2, 1, 5}},
      {{1, 2, 3, 3, 1}, {2, 2, 2, 1, 1}},   {{0, 2, 2, 3, 2}, {2, 2, 2, 2, 2}},
      {{2, 3, 2, 4, 3}, {3, 2, 2, 3, 2}},   {{1, 1, 2, 3, 1}, {2, 2, 2, 1, 3}},
      {{1, 2, 2, 2, 17}, {2, 2, 2, 17, 1}}, {{1, 4, 3, 3, 1}, {2, 3, 2, 1, 17}},
      {{3, 2, 3, 5, 1}, {2, 2, 3, 1, 2}},   {{1, 2, 2, 3, 2}, {2, 2, 2, 2, 0}}};
  addConvolution(table, sequences, lines);
  addGradients(table, sequences, lines);
  // Windows of so many channels that they are summed in parts, and in steps, at an image's border.
  Mode bordered{"1d_bordered", {1}, {1, 1}, {1}, 1};
  lines.insert(lines.end(),
               {{{1, 5, 2}, {3, 2, 400}}, {{1, 5, 400}, {3, 400, 2}}, {{1, 5, 32}, {3, 32, 700}}});
  addConvolution(table, bordered, lines);
  addGradients(table, bordered, lines);
  addConvolution(table, volumes, cubes);
  addGradients(table, volumes, cubes);
}

void addConvolutionRows(Table &table) {
  for (const Mode &mode : modes())
    addConvolution(table, mode, imageShapes(mode.groups));
  Mode all{"all", {2, 1}, {1, 0, 2, 1}, {1, 2}, 2};
  Mode cropped{"cropped", {2, 1}, {1, -1, 1, -1}, {1, 1}, 1};
  addGradients(table, all, imageShapes(2));
  addGradients(table, cropped, imageShapes(1));
  addConvolution(table, depthwise(), depthwiseShapes(19));
  addGradients(table, depthwise(), depthwiseShapes(19));
  addOtherRanks(table);
}

} // namespace formwork::test
