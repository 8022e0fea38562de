// Which part of a contraction reads nothing but zeros.
//
// What surrounds a padded image is zeros: products with them add nothing. Where an operand is known
// to have such a border, the loops over a window leave out what falls into it: of each tile those
// rows of a window that are outside the image, and of each place in the window those rows of the
// tile for which it is.
#pragma once

#include "codegen/cpu/Schedule.h"

namespace formwork {

/// An index of an operand that is not zero only from `from` on, and only before `to`.
struct Clip {
  mlir::AffineExpr index; // in the kernel's dimensions
  int64_t from;
  std::optional<int64_t> to; // none: up to its end
  unsigned dimCount;

  /// How far the index moves with `dim`; 0 if not at all, or not evenly.
  int64_t stepAlong(Dim dim) const;
  /// Where the index is while `dim` is 0.
  mlir::AffineExpr without(Dim dim) const;
  /// The same of all these, if it depends on no others.
  std::optional<int64_t> atOrigin(llvm::ArrayRef<Dim> dims) const;
};

/// What restricts the products of a contraction. Sums of anything else are not: zeros change them.
llvm::SmallVector<Clip> findClips(const Kernel &kernel, const ContractionGroup &contraction);

/// A range of whole numbers.
struct Range {
  int64_t from, to;
};

/// Those k of `all` for which from <= offset + step * k < to.
Range clipped(Range all, const Clip &clip, int64_t offset, int64_t step);

} // namespace formwork
