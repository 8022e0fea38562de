// Rows of Slicing.cpp.
#include "tests/numeric/Table.h"

namespace formwork::test {

/// x with `low` elements before it and `between` between its elements, in y, which holds the rest.
static Array embed(const Array &x, Array y, int64_t low, int64_t between) {
  forEachIndex(x.shape, [&](const Index &index) {
    Index to = index;
    for (int64_t &i : to)
      i = low + i * (between + 1);
    y.at(to) = x.at(index);
  });
  return y;
}

static void addPad(Table &table, int64_t low, int64_t high, int64_t between, double value) {
  std::string name = between ? "pad" : "pad/edges";
  table.row(name, unaryShapes())
      .body([=](const Instance &one) {
        auto all = [&](int64_t amount) { return list(Shape(one.operands[0].rank(), amount)); };
        return "%y = fw.pad %0 low " + all(low) + " high " + all(high) + " interior " +
               all(between) + " value " + std::to_string(value) + " : ($0) -> $y";
      })
      .reference([=](const Arrays &x) {
        Shape shape = x[0].shape;
        for (int64_t &size : shape)
          size = low + size + std::max<int64_t>(size - 1, 0) * between + high;
        return embed(x[0], Array(shape, "f64", value), low, between);
      });
}

static void addPadLike(Table &table) {
  table
      .row("pad/like", {{{2, 3}, {5, 6}},
                        {{1}, {2}},
                        {{1}, {7}},
                        {{0}, {1}},
                        {{2, 1, 2}, {4, 5, 4}},
                        {{3}, {6}},
                        {{3}, {7}},
                        {{}, {}},
                        {{4, 1}, {8, 3}},
                        {{5, 0}, {11, 1}}})
      .body([](const Instance &one) {
        auto all = [&](int64_t amount) { return list(Shape(one.operands[0].rank(), amount)); };
        return "%y = fw.pad %0 like %1 low " + all(1) + " high " + all(0) + " interior " + all(1) +
               " value 0.0 : ($0, $1) -> $y";
      })
      .reference([](const Arrays &x) { return embed(x[0], Array(x[1].shape), 1, 1); });
}

/// From `start` on (where there are so many), leaving out the last `less`, by `stride`.
static void addSlice(Table &table, const std::string &name, int64_t start, int64_t less,
                     int64_t stride) {
  auto first = [=](int64_t size) { return std::min(start, size); };
  auto left = [=](int64_t size) { return std::min(less, size - first(size)); };
  table.row(name, unaryShapes())
      .body([=](const Instance &one) {
        Shape starts, limits, strides(one.operands[0].rank(), stride);
        for (int64_t size : one.shape(0)) {
          starts.push_back(first(size));
          limits.push_back(-1 - left(size));
        }
        return "%y = fw.slice %0 start " + list(starts) + " limit " + list(limits) + " strides " +
               list(strides) + " : ($0) -> $y";
      })
      .reference([=](const Arrays &x) {
        Shape shape = x[0].shape;
        for (int64_t &size : shape)
          size = (size - first(size) - left(size) + stride - 1) / stride;
        Array y(shape);
        forEachIndex(shape, [&](const Index &index) {
          Index from = index;
          for (size_t i = 0; i < from.size(); ++i)
            from[i] = first(x[0].shape[i]) + from[i] * stride;
          y.at(index) = x[0].at(from);
        });
        return y;
      });
}

/// The elements of `part` in `whole`, from `offset` on along axis 1.
static void forEachElement(const Array &part, int64_t offset,
                           const std::function<void(const Index &, const Index &)> &visit) {
  forEachIndex(part.shape, [&](const Index &index) {
    Index to = index;
    to[1] += offset;
    visit(index, to);
  });
}

static std::vector<Shapes> partShapes() {
  return {{{2, 3}, {2, 1}},       {{2, 0}, {2, 3}},      {{1, 1}, {1, 1}},  {{0, 2}, {0, 3}},
          {{3, 2, 2}, {3, 4, 2}}, {{2, 5}, {2, 5}},      {{7, 1}, {7, 11}}, {{1, 2, 1}, {1, 1, 1}},
          {{4, 3, 0}, {4, 1, 0}}, {{2, 1, 3}, {2, 2, 3}}};
}

static Array concatenate(const Array &a, const Array &b) {
  Array y = a;
  y.shape[1] += b.shape[1];
  y.values.assign(countElements(y.shape), 0);
  auto fill = [&](const Array &part, int64_t offset) {
    forEachElement(part, offset,
                   [&](const Index &from, const Index &to) { y.at(to) = part.at(from); });
  };
  fill(a, 0);
  fill(b, a.shape[1]);
  return y;
}

static void addConcat(Table &table) {
  table.row("concat", partShapes())
      .body("%y = fw.concat %0, %1 axis 1 : ($0, $1) -> $y")
      .reference([](const Arrays &x) { return concatenate(x[0], x[1]); });

  // Split and put together the other way round.
  std::vector<Shapes> wholes;
  for (const Shapes &parts : partShapes()) {
    Shape whole = parts[0];
    whole[1] += parts[1][1];
    wholes.push_back({whole, parts[0], parts[1]});
  }
  table.row("split_like", wholes)
      .body("%p:2 = fw.split_like %0, %1, %2 axis 1 : ($0, $1, $2) -> ($1, $2)\n"
            "  %y = fw.concat %p#1, %p#0 axis 1 : ($2, $1) -> $y")
      .reference([](const Arrays &x) {
        Array a(x[1].shape), b(x[2].shape);
        auto take = [&](Array &part, int64_t offset) {
          forEachElement(part, offset,
                         [&](const Index &to, const Index &from) { part.at(to) = x[0].at(from); });
        };
        take(a, 0);
        take(b, a.shape[1]);
        return concatenate(b, a);
      });
}

void addSlicingRows(Table &table) {
  addPad(table, 1, 2, 1, 0.5);
  addPad(table, 2, 0, 0, 0);
  addPadLike(table);
  addSlice(table, "slice", 1, 0, 2);
  addSlice(table, "slice/inner", 1, 1, 1);
  addSlice(table, "slice/strided", 0, 1, 3);
  addConcat(table);
}

} // namespace formwork::test
