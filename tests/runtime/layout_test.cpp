// Variables that lie in panels, as files and callers see them.
#include "runtime/Layout.h"

#include <gtest/gtest.h>
#include <numeric>
#include <vector>

using namespace formwork::runtime;

namespace {
/// A matrix behind eight bytes that belong to something else.
struct Matrix {
  std::vector<int64_t> shape;
  formwork_variable variable = {};

  Matrix(int64_t rows, int64_t columns, int64_t panel) : shape{rows, columns} {
    variable.name = "matrix";
    variable.dtype = FORMWORK_F32;
    variable.rank = 2;
    variable.shape = shape.data();
    variable.offset = 8;
    variable.panel = panel;
  }
  int64_t count() const { return shape[0] * shape[1]; }
};
} // namespace

static std::vector<float> numbered(int64_t count) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), 1.f);
  return values;
}

TEST(Layout, PanelsHoldColumnsOfAllRows) {
  Matrix matrix(2, 6, 3);
  std::vector<float> elements = numbered(12), bytes(2 + 12, -1.f);
  writeElements(matrix.variable, reinterpret_cast<std::byte *>(bytes.data()), elements.data());
  EXPECT_EQ(bytes, (std::vector<float>{-1, -1, 1, 2, 3, 7, 8, 9, 4, 5, 6, 10, 11, 12}));
}

TEST(Layout, ReadsWhatWasWritten) {
  for (const Matrix &matrix :
       {Matrix(5, 8, 0), Matrix(5, 8, 2), Matrix(1, 4, 4), Matrix(7, 6, 1)}) {
    std::vector<float> elements = numbered(matrix.count()), bytes(2 + matrix.count()),
                       read(matrix.count());
    auto *variables = reinterpret_cast<std::byte *>(bytes.data());
    writeElements(matrix.variable, variables, elements.data());
    readElements(matrix.variable, variables, read.data());
    EXPECT_EQ(read, elements);
    for (int64_t i = 0; i < matrix.count(); ++i)
      EXPECT_EQ(bytes[2 + formwork_place(&matrix.variable, i)], elements[i]);
  }
}
