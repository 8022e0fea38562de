// How a kernel is computed: which dimension lies along vectors, which are split into chunks, what
// is computed together in one pass over a tile, and how large a tile is.
//
// A kernel falls into groups that share nothing. The dimensions that all of a group's reductions
// and outputs have in parallel are its *outer* dimensions: chunks are tiles of those. Inside a tile
// run the *passes*, each over the remaining ("inner") parallel dimensions of what it computes.
// Pointwise ops belong to no pass: they are computed where they are read, unless stored for a later
// pass.
//
// Two kinds of reduction:
// - a *contraction* accumulates vectors that lie along one of its parallel dimensions;
// - a *row statistic* is vectorized along what it reduces, and is one number per row.
#pragma once

#include "codegen/cpu/Target.h"
#include "codegen/kernel/Evaluator.h"

namespace formwork {

/// Contractions that run in one loop over the dimensions they reduce.
struct ContractionGroup {
  llvm::SmallVector<mlir::linalg::GenericOp> ops;
  Dims over;
};

struct Pass {
  /// Parallel dimensions that are not outer ones; the last is the vector dimension if that is
  /// inner.
  Dims inner;
  std::vector<ContractionGroup> contractions;
  llvm::SmallVector<mlir::linalg::GenericOp> statistics;
  /// Values to write: outputs of the kernel, and what later passes read.
  llvm::SmallVector<mlir::Value> stores;
};

/// An operand of which a tile's part is copied, so that elements along the vector dimension are
/// adjacent and vectors that are used one after the other lie one after the other.
struct Packed {
  mlir::OpOperand *operand;
  /// The dimension along which the operand's elements are adjacent, if it is one of the panel's.
  int along;
};

struct Group : Tile {
  int64_t rows = 1, vectors = 1;
  /// Rows of each of the last two tiles, if those share what is left; 0: one is full, one the rest.
  int64_t lastRows = 0;
  /// Elements of the vector dimension in a tile, if it is outer.
  int64_t tileWidth = 0;
  /// Outer dimensions that select what all rows share: of each of their blocks, all others are
  /// computed before the next, so that it stays in the cache. Empty where tiles along vectors are
  /// to follow one another instead, so that results are written in their order in memory.
  Dims keptDims;
  /// A reduced dimension that is looped over outside of all tiles: what one step reads of the
  /// operands stays in the cache for all tiles. Between the steps sums rest in the output, or in
  /// scratch if something is computed from them.
  int stepDim = noDim;
  /// Indices of it that are one step.
  int64_t stepSize = 1;
  bool sumsRestInScratch = false;
  /// Of a pointwise group: an outer dimension of which what is read next is asked for, since no
  /// processor would guess it in time.
  int prefetchDim = noDim;
  std::vector<Pass> passes;
  std::vector<Packed> packed;
  /// Operands of which each step's part is copied, all tiles' rows of it: the elements of a tile's
  /// rows lie side by side, and what is multiplied next follows them.
  llvm::SmallVector<mlir::OpOperand *> packedRows;

  /// How much of a dimension is computed with at once: all of it, or a step.
  int64_t sizeIn(const Kernel &kernel, Dim dim) const {
    return int(dim) == stepDim ? stepSize : kernel.size(dim);
  }
  int vectorDimOf(const Pass &pass) const {
    return vectorDim != noDim ? vectorDim : pass.inner.empty() ? noDim : int(pass.inner.back());
  }
};

struct Schedule {
  std::vector<Group> groups;
};

/// Fails, with a diagnostic on the op, where no rule applies.
mlir::FailureOr<Schedule> schedule(const Kernel &kernel, const CPUTarget &target);

} // namespace formwork
