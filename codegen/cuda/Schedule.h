// How a kernel is computed on a GPU: what a block of threads computes, and how its threads share
// the work.
//
// A kernel falls into groups that share nothing; each has blocks of its own in the grid. The
// dimensions that all of a group's reductions and outputs have in parallel are its *outer*
// dimensions. There are two forms:
// - *teams*: threads in teams of a power of two, a team for each point of the outer dimensions.
//   Its steps are *statistics*, reductions to one number per point, summed by the whole team in a
//   tree that shapes fix; and *passes* over the remaining parallel dimensions, an element per
//   thread. With teams of one thread this is the form of pointwise ops.
// - *tiles*: products of two operands summed over common dimensions (matmul, convolution, their
//   gradients). A block computes a tile of rows by columns: slices of the operands come to shared
//   memory, sums lie in registers, and what follows is computed from there.
//
// Every kernel has the first form. What a pass reads of other reductions is kept in shared memory
// if it fits and several steps read it; otherwise it is computed where it is read.
#pragma once

#include "codegen/kernel/Evaluator.h"
#include "codegen/kernel/Items.h"

namespace formwork::cuda {

struct TeamStep {
  enum Kind { Statistics, Pass } kind;
  /// Reduced dimensions, or parallel ones that are not outer, in loop order.
  Dims dims;
  llvm::SmallVector<mlir::linalg::GenericOp> ops;
};

struct Teams {
  int64_t threads = 1; // per team, a power of two
  /// Whether neighbouring threads are of one team, or of neighbouring points.
  bool adjacent = false;
  std::vector<TeamStep> steps;
};

/// A product of two operands, summed.
struct Contraction {
  mlir::linalg::GenericOp op;
  mlir::OpOperand *left, *right; // read at rows and at columns
  Dims over;
};

struct TileShape {
  /// Of a block, of a slice of the sum, and of a thread.
  int64_t rows, columns, depth, threadRows, threadColumns;
  int64_t threads() const { return rows / threadRows * (columns / threadColumns); }
};

struct Tiles {
  TileShape shape;
  /// Products by tensor cores, of operands rounded to TF32.
  bool tensorCores = false;
  Dims batch, rows, columns; // outer dimensions, by which operands they index
  std::vector<Contraction> contractions;
};

struct Group : Tile {
  std::vector<Item> items; // in the order of the body
  /// Reductions to more than one element per outer point that are kept in shared memory.
  llvm::SetVector<mlir::Operation *> kept;
  Teams teams;
  std::optional<Tiles> tiles;
};

struct Schedule {
  int64_t threads; // of a block
  std::vector<Group> groups;
};

/// Threads of the largest block.
constexpr int64_t largestBlock = 1024;
/// Shared memory of a block that any GPU has without being asked.
constexpr int64_t sharedBytes = 48 << 10;

struct Target {
  /// Whether float32 products may be rounded to TF32: eight bits of exponent, ten of mantissa.
  bool allowsTF32 = false;
};

/// Total over every kernel: what it cannot write is refused when it is written.
Schedule schedule(const Kernel &kernel, const Target &target);

/// The number of iterations over `dims`; a size that is not known counts as 32.
int64_t iterations(const Kernel &kernel, llvm::ArrayRef<Dim> dims);

} // namespace formwork::cuda
