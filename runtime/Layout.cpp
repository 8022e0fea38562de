#include "runtime/Layout.h"

#include "runtime/Descriptor.h"

#include <cstring>

namespace formwork::runtime {

static bool isRowMajor(const formwork_variable &variable) { return variable.panel == 0; }

namespace {
/// The pieces that are adjacent in both orders: a row's columns in one panel.
struct Piece {
  int64_t stored, rowMajor, size; // bytes
};
} // namespace

template <typename Visit> static void forEachPiece(const formwork_variable &variable, Visit visit) {
  if (isRowMajor(variable))
    return visit(Piece{0, 0, byteSize(variable)});
  int64_t rows = variable.shape[0], panels = variable.shape[1] / variable.panel;
  int64_t size = variable.panel * elementSize(variable.dtype);
  for (int64_t panel = 0; panel < panels; ++panel)
    for (int64_t row = 0; row < rows; ++row)
      visit(Piece{(panel * rows + row) * size, (row * panels + panel) * size, size});
}

void readElements(const formwork_variable &variable, const std::byte *variables, void *elements) {
  const std::byte *from = variables + variable.offset;
  auto *to = static_cast<std::byte *>(elements);
  forEachPiece(variable, [&](const Piece &piece) {
    memcpy(to + piece.rowMajor, from + piece.stored, piece.size);
  });
}

const std::byte *elementsOf(const formwork_variable &variable, const std::byte *variables,
                            std::vector<std::byte> &copy) {
  if (isRowMajor(variable))
    return variables + variable.offset;
  copy.resize(byteSize(variable));
  readElements(variable, variables, copy.data());
  return copy.data();
}

void writeElements(const formwork_variable &variable, std::byte *variables, const void *elements) {
  auto *from = static_cast<const std::byte *>(elements);
  std::byte *to = variables + variable.offset;
  forEachPiece(variable, [&](const Piece &piece) {
    memcpy(to + piece.stored, from + piece.rowMajor, piece.size);
  });
}

} // namespace formwork::runtime
