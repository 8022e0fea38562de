// Has scans gather rows of a table themselves, step by step.
//
//   scan over(transpose(gather(T, i)) + b)   becomes   scan over(transpose(i)) capture(T, b)
//
// The rows of all steps need not be in memory at once then: those of one step stay in the cache
// until they are read. Only a scan's own elements are rows, and what is added to all of them a
// vector.
#include "ir/Scan.h"
#include "passes/Passes.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_SINKINTOSCAN
#include "passes/Passes.h.inc"

namespace {
/// A stack of rows of a table, by step.
struct Rows {
  GatherOp gather;
  /// From dimensions of the stack to those of what is gathered.
  SmallVector<int64_t> permutation;
  /// What is added to each row, the last first.
  SmallVector<Value> addends;
};
} // namespace

static int64_t rankOf(Value value) { return cast<RankedTensorType>(value.getType()).getRank(); }

static std::optional<Rows> rowsOf(Value stack) {
  Rows rows;
  while (auto addition = stack.getDefiningOp<AddOp>()) {
    if (rankOf(addition.getA()) != rankOf(stack) || rankOf(addition.getB()) != 1)
      return std::nullopt;
    rows.addends.push_back(addition.getB());
    stack = addition.getA();
  }
  rows.permutation = llvm::to_vector(llvm::seq<int64_t>(0, rankOf(stack)));
  if (auto transpose = stack.getDefiningOp<TransposeOp>()) {
    rows.permutation = llvm::to_vector(transpose.getPermutation());
    stack = transpose.getX();
  }
  rows.gather = stack.getDefiningOp<GatherOp>();
  if (!rows.gather || rankOf(rows.gather.getTable()) != 2 ||
      rows.permutation.front() == rankOf(stack) - 1)
    return std::nullopt;
  return rows;
}

/// Dimension `first`, then the others in order.
static SmallVector<int64_t> movedFirst(int64_t rank, int64_t first) {
  auto permutation = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  permutation.erase(permutation.begin() + first);
  permutation.insert(permutation.begin(), first);
  return permutation;
}

/// The permutation that is left for one step.
static SmallVector<int64_t> withoutFirst(ArrayRef<int64_t> permutation) {
  SmallVector<int64_t> rest(permutation.drop_front());
  for (int64_t &axis : rest)
    axis -= axis > permutation.front();
  return rest;
}

/// Computes the rows of each step in the body, in place of `element`.
static void sink(ScanOp scan, BlockArgument element, const Rows &rows) {
  ImplicitLocOpBuilder builder(element.getLoc(), scan);
  GatherOp gather = rows.gather;
  Value indices = builder.createOrFold<TransposeOp>(
      gather.getIndices(), movedFirst(rankOf(gather.getIndices()), rows.permutation.front()));
  Value step = addScanArgument(scan, indices, /*varies=*/true);
  Value table = addScanArgument(scan, gather.getTable(), /*varies=*/false);
  builder.setInsertionPointToStart(element.getOwner());
  builder.setLoc(gather.getLoc());
  Value value = GatherOp::create(builder, table, step);
  value = builder.createOrFold<TransposeOp>(value, withoutFirst(rows.permutation));
  for (Value addend : llvm::reverse(rows.addends))
    value = AddOp::create(builder, value, addScanArgument(scan, addend, /*varies=*/false));
  element.replaceAllUsesWith(value);
}

namespace {
struct SinkIntoScan : impl::SinkIntoScanBase<SinkIntoScan> {
  void runOnOperation() override {
    getOperation().walk([](ScanOp scan) {
      // Copied: what is sunk appends others.
      SmallVector<Value> sequences(scan.getSequences());
      for (auto [i, sequence] : llvm::enumerate(sequences))
        if (std::optional<Rows> rows = rowsOf(sequence))
          sink(scan, scan.getBody().getArgument(scan.getInitials().size() + i), *rows);
    });
  }
};
} // namespace

} // namespace formwork
