// Rows of Linear.cpp.
#include "tests/numeric/Table.h"

namespace formwork::test {

/// "[2, 0, 1]"
static std::string list(const std::vector<int64_t> &values) {
  std::string text = "[";
  for (size_t i = 0; i < values.size(); ++i)
    text += (i ? ", " : "") + std::to_string(values[i]);
  return text + "]";
}

/// The dimensions rotated by one: the last one first.
static std::vector<int64_t> rotation(int64_t rank) {
  std::vector<int64_t> permutation;
  for (int64_t i = 0; i < rank; ++i)
    permutation.push_back((i + rank - 1) % rank);
  return permutation;
}

static Array rotate(const Array &x) {
  std::vector<int64_t> permutation = rotation(x.rank());
  Array y = x;
  for (int64_t i = 0; i < x.rank(); ++i)
    y.shape[i] = x.shape[permutation[i]];
  forEachIndex(y.shape, [&](const Index &index) {
    Index from(x.rank());
    for (int64_t i = 0; i < x.rank(); ++i)
      from[permutation[i]] = index[i];
    y.at(index) = x.at(from);
  });
  return y;
}

void addLinearRows(Table &table) {
  table
      .row("dot_general/matmul", {{{2, 3}, {3, 4}},
                                  {{1, 3}, {3, 1}},
                                  {{5, 1}, {1, 7}},
                                  {{1, 1}, {1, 1}},
                                  {{0, 3}, {3, 2}},
                                  {{2, 0}, {0, 3}},
                                  {{2, 3}, {3, 0}},
                                  {{7, 11}, {11, 5}},
                                  {{13, 2}, {2, 13}},
                                  {{4, 17}, {17, 3}}})
      .body("%y = fw.dot_general %0, %1 contract [1] x [0] batch [] x [] : ($0, $1) -> $y")
      .reference([](const Arrays &x) { return matrixProduct(x[0], x[1]); });

  table.row("transpose", unaryShapes())
      .body([](const Instance &one) {
        return "%y = fw.transpose %0 permutation = " + list(rotation(one.operands[0].rank())) +
               " : ($0) -> $y";
      })
      .reference([](const Arrays &x) { return rotate(x[0]); });
}

} // namespace formwork::test
