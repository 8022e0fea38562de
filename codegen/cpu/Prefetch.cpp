// What is asked for before it is needed, where no processor would guess it in time.
#include "codegen/cpu/Nest.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace formwork {

static void writePrefetch(Writer &writer, Value buffer, ValueRange indices) {
  memref::PrefetchOp::create(writer.builder, buffer, indices, /*isWrite=*/false,
                             /*localityHint=*/3, /*isDataCache=*/true);
}

void Nest::prefetch(OpOperand &operand, ArrayRef<Value> at) {
  Values indices;
  for (AffineExpr index : kernel.access(operand).getResults())
    indices.push_back(writer.expression(index, at));
  writePrefetch(writer, evaluator.outside(operand.get()), indices);
}

/// The place of lane 0 alone. Nothing that is known of the vector there holds for it.
Point Nest::firstLaneOf(Point point) {
  point.vectorDim = noDim;
  point.lanes = 1;
  point.mask = nullptr;
  point.place = ++places;
  return point;
}

/// Of how many vectors of the buffer a line of the cache consists.
static int64_t vectorsPerLine(MemRefType buffer, int64_t lanes) {
  constexpr int64_t lineBits = 512;
  int64_t bits = std::max<int64_t>(buffer.getElementTypeBitWidth(), 8) * lanes;
  return std::max<int64_t>(lineBits / bits, 1);
}

/// The buffer that an operand has a vector of its own in for each row along `dim`; null if it has
/// none.
MemRefType Nest::bufferOfRows(OpOperand &operand, Dim dim, int vectorDim) const {
  AffineMap access = kernel.access(operand);
  if (!dependsOn(access, dim) || stepOf(access, vectorDim) != Step::Unit)
    return {};
  return dyn_cast<MemRefType>(evaluator.outside(operand.get()).getType());
}

/// What the pass stores is computed by these; reductions are not among them.
static llvm::SetVector<linalg::GenericOp> storedOps(const Pass &pass) {
  llvm::SetVector<linalg::GenericOp> ops;
  for (Value value : pass.stores)
    if (auto op = value.getDefiningOp<linalg::GenericOp>(); op && !isReduction(op))
      ops.insert(op);
  return ops;
}

/// The buffer that vectors of adjacent elements are gathered from; null if there is none.
MemRefType Nest::bufferOfGathered(tensor::ExtractOp extract) const {
  Value last = extract.getIndices().back();
  if (!last.getDefiningOp<linalg::IndexOp>() && !last.getDefiningOp<affine::AffineApplyOp>())
    return {};
  return dyn_cast<MemRefType>(evaluator.outside(extract.getTensor()).getType());
}

/// Asks for what is computed with the sums and has a vector of its own for each of them: it comes
/// while products are added, so that nothing waits for it.
void Nest::prefetchEpilogue(const Pass &pass, const Block &block) {
  if (group.rowDim == noDim || block.vectorDim == noDim)
    return;
  auto ask = [&](MemRefType buffer, llvm::function_ref<void(const Point &)> prefetchAt) {
    if (!buffer)
      return;
    int64_t perLine = vectorsPerLine(buffer, group.lanes);
    auto askFor = [&](const Point &at) {
      if (at.vector % perLine == 0)
        prefetchAt(at);
    };
    forPoints(block, askFor, "What is computed with the sums comes while they are added up.");
  };
  for (linalg::GenericOp op : storedOps(pass)) {
    for (OpOperand *operand : op.getDpsInputOperands())
      ask(bufferOfRows(*operand, group.rowDim, block.vectorDim),
          [&](const Point &at) { prefetch(*operand, at.at); });
    op.walk([&](tensor::ExtractOp extract) {
      ask(bufferOfGathered(extract), [&](const Point &at) {
        writePrefetch(writer, evaluator.outside(extract.getTensor()),
                      evaluator.indicesOf(extract, firstLaneOf(at)));
      });
    });
  }
}

/// Asks for the same columns of the next row where rows are parts of longer ones: those that follow
/// one another in memory the processor reads ahead itself.
void Nest::prefetchNextRow(const Pass &pass, const Block &block) {
  if (group.prefetchDim == noDim)
    return;
  Dim dim = group.prefetchDim;
  Value last = writer.add(evaluator.extent(dim), -1);
  for (linalg::GenericOp op : storedOps(pass))
    for (OpOperand *operand : op.getDpsInputOperands()) {
      MemRefType buffer = bufferOfRows(*operand, dim, block.vectorDim);
      if (!buffer || buffer.getLayout().isIdentity())
        continue;
      for (int64_t i = 0; i < block.vectors; i += vectorsPerLine(buffer, group.lanes)) {
        Values at = point(block, {}, i).at;
        at[dim] = writer.minimum(writer.add(at[dim], 1), last);
        prefetch(*operand, at);
      }
    }
}

/// Asks for the same place of the next panel: rows lie so far apart that no processor would guess.
void Nest::prefetchNextPanel(OpOperand &operand, Values at, int64_t width) {
  Dim dim = group.vectorDim;
  bool hasNext = kernel.isStatic(dim) && kernel.size(dim) > width;
  if (!hasNext || stepOf(kernel.access(operand), dim) != Step::Unit)
    return;
  Value last = writer.index(kernel.size(dim) - 1);
  at[dim] = writer.minimum(writer.add(at[dim], width), last);
  prefetch(operand, at);
}

} // namespace formwork
