// Rows of Linear.cpp.
#include "tests/numeric/Table.h"

namespace formwork::test {

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

/// Sums products as np.einsum does: each letter is a dimension, those not in `to` are summed over.
static Array einsum(const Array &a, const std::string &ofA, const Array &b, const std::string &ofB,
                    const std::string &to) {
  std::string letters = to;
  Shape sizes(to.size());
  auto note = [&](const Array &x, const std::string &of) {
    for (size_t i = 0; i < of.size(); ++i) {
      size_t at = letters.find(of[i]);
      if (at == std::string::npos) {
        at = letters.size();
        letters += of[i];
        sizes.push_back(0);
      }
      sizes[at] = x.shape[i];
    }
  };
  note(a, ofA);
  note(b, ofB);
  auto pick = [&](const Index &index, const std::string &of) {
    Index picked;
    for (char letter : of)
      picked.push_back(index[letters.find(letter)]);
    return picked;
  };
  Array y(Shape(sizes.begin(), sizes.begin() + to.size()));
  forEachIndex(sizes, [&](const Index &index) {
    y.at(pick(index, to)) += a.at(pick(index, ofA)) * b.at(pick(index, ofB));
  });
  return y;
}

static void addContraction(Table &table, const std::string &mode, const std::string &dimensions,
                           const std::string &ofA, const std::string &ofB, const std::string &to) {
  // The sizes of the letters b, k, l, m, n, p, in every row's shapes.
  std::vector<Shape> sizes = {{2, 3, 4, 5, 6, 2}, {1, 1, 1, 1, 1, 1}, {3, 1, 2, 1, 4, 1},
                              {2, 0, 3, 2, 2, 2}, {0, 2, 2, 3, 1, 2}, {1, 5, 1, 7, 2, 3},
                              {2, 2, 2, 4, 3, 2}, {3, 4, 1, 2, 0, 1}, {1, 2, 7, 3, 5, 2},
                              {4, 1, 1, 0, 2, 5}};
  std::vector<Shapes> shapes;
  for (const Shape &size : sizes) {
    auto shapeOf = [&](const std::string &letters) {
      Shape shape;
      for (char letter : letters)
        shape.push_back(size[std::string("bklmnp").find(letter)]);
      return shape;
    };
    shapes.push_back({shapeOf(ofA), shapeOf(ofB)});
  }
  table.row("dot_general/" + mode, shapes)
      .body("%y = fw.dot_general %0, %1 " + dimensions + " : ($0, $1) -> $y")
      .reference([=](const Arrays &x) { return einsum(x[0], ofA, x[1], ofB, to); });
}

void addLinearRows(Table &table) {
  addContraction(table, "batch", "contract [2] x [1] batch [0] x [0]", "bmk", "bkn", "bmn");
  addContraction(table, "transposed", "contract [0] x [1] batch [] x []", "km", "nk", "mn");
  addContraction(table, "two_contracted", "contract [0, 2] x [2, 0] batch [] x []", "kml", "lnk",
                 "mn");
  addContraction(table, "scrambled", "contract [0] x [3] batch [3] x [1]", "kmlb", "nbpk", "bmlnp");
  addContraction(table, "outer_product", "contract [] x [] batch [] x []", "m", "n", "mn");
  addContraction(table, "products", "contract [] x [] batch [1, 0] x [0, 1]", "mb", "bm", "bm");
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
