#include "codegen/cpu/Blocking.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace formwork {

/// Elements of a pointwise tile along the vector dimension: a few kilobytes of each operand.
static constexpr int64_t pointwiseTile = 1024;

/// So many chains of multiply-adds keep a processor busy that issues two per cycle and takes four
/// cycles for each.
static constexpr int64_t busyChains = 8;

namespace {
struct Shape {
  int64_t rows, vectors;
};

/// What a contraction's k-loop costs, in units of one vector multiply-add issued.
///
/// Two multiply-adds and two loads issue per cycle, a multiply-add takes four cycles, a vector
/// comes from the second-level cache at a quarter of a load's speed, and all accumulators live in
/// registers. A broadcast of an element costs a load; beside narrow vectors twice that: elements of
/// rows that lie whole lines apart share a bank of the cache, which yields one per cycle (measured
/// on Zen 3; Zen 4 takes two cycles for two wide multiply-adds). Each kind of remainder is code of
/// its own, so it counts a little.
class TileModel {
public:
  /// Rows of unknown number are many, and tiles have a power of two of them.
  TileModel(bool narrow, int64_t registers, int64_t rows, bool rowsKnown, int64_t vectors)
      : broadcast(narrow ? 2 : 1), registers(registers), totalRows(rows), rowsKnown(rowsKnown),
        totalVectors(vectors) {}

  Shape best() const {
    Shape best = {rowsKnown ? 1 : 4, 1};
    double lowest = cost(best);
    for (int64_t rows = 1; rows <= std::min<int64_t>(totalRows, 16); ++rows)
      for (int64_t vectors = 1; vectors <= std::min<int64_t>(totalVectors, 8); ++vectors) {
        if (rows * vectors + vectors + 1 > registers || !(rowsKnown || rows == 4 || rows == 8))
          continue;
        double candidate = cost({rows, vectors});
        if (candidate < lowest * 0.98)
          lowest = candidate, best = {rows, vectors};
      }
    return best;
  }

private:
  double step(int64_t rows, int64_t vectors) const {
    if (rows == 0 || vectors == 0)
      return 0;
    double compute = std::max(rows * vectors, busyChains);
    return std::max<double>(compute, broadcast * rows + 4 * vectors) + 1;
  }
  double cost(Shape tile) const {
    int64_t fullRows = totalRows / tile.rows, restRows = totalRows % tile.rows;
    int64_t full = totalVectors / tile.vectors, rest = totalVectors % tile.vectors;
    double variants = 1 + (restRows ? 0.02 : 0) + (rest ? 0.02 : 0);
    return variants * (fullRows * (full * step(tile.rows, tile.vectors) + step(tile.rows, rest)) +
                       full * step(restRows, tile.vectors) + step(restRows, rest));
  }

  int64_t broadcast, registers, totalRows;
  bool rowsKnown;
  int64_t totalVectors;
};
} // namespace

static int64_t sizeOr(const Kernel &kernel, Dim dim, int64_t unknown) {
  return kernel.isStatic(dim) ? kernel.size(dim) : unknown;
}

/// Whether each row along `dim` multiplies the same vectors.
static bool sharesVectors(const Kernel &kernel, ArrayRef<linalg::GenericOp> contractions, Dim dim,
                          int vectorDim) {
  return llvm::all_of(contractions, [&](linalg::GenericOp op) {
    return llvm::any_of(op.getDpsInputOperands(), [&](OpOperand *operand) {
      return vectorDim != noDim && !dependsOn(kernel.access(*operand), dim) &&
             dependsOn(kernel.access(*operand), vectorDim);
    });
  });
}

/// The innermost outer dimension with more than one element whose rows share vectors, else the
/// innermost at all.
static int chooseRowDim(const Kernel &kernel, const Group &group,
                        ArrayRef<linalg::GenericOp> contractions, int vectorDim) {
  int fallback = noDim;
  for (Dim dim : llvm::reverse(group.outer)) {
    if (int(dim) == vectorDim || sizeOr(kernel, dim, 2) == 1)
      continue;
    if (fallback == noDim)
      fallback = dim;
    if (sharesVectors(kernel, contractions, dim, vectorDim))
      return dim;
  }
  return fallback;
}

/// The vector dimension, and what else selects vectors that all rows multiply.
static Dims sharedByRows(const Kernel &kernel, const Group &group,
                         ArrayRef<linalg::GenericOp> contractions) {
  Dims dims;
  for (Dim dim : group.outer) {
    bool selects = llvm::any_of(contractions, [&](linalg::GenericOp op) {
      return llvm::any_of(op.getDpsInputOperands(), [&](OpOperand *operand) {
        AffineMap access = kernel.access(*operand);
        bool shared = group.rowDim == noDim || !dependsOn(access, group.rowDim);
        return shared && dependsOn(access, group.vectorDim) && dependsOn(access, dim);
      });
    });
    if (int(dim) == group.vectorDim || selects)
      dims.push_back(dim);
  }
  return dims;
}

static SmallVector<linalg::GenericOp> contractionsOf(const Pass &pass) {
  SmallVector<linalg::GenericOp> ops;
  for (const ContractionGroup &group : pass.contractions)
    llvm::append_range(ops, group.ops);
  return ops;
}

/// Along which dimension an operand's elements are adjacent, if it is not `vectorDim`.
static int adjacentDim(AffineMap access) {
  for (Dim dim = 0; dim < access.getNumDims(); ++dim)
    if (stepOf(access, dim) == Step::Unit)
      return dim;
  return noDim;
}

/// Bytes of the largest panel; it lies on the stack.
static constexpr int64_t panelLimit = 1 << 20;

/// Whether a copy of the operand for one tile has a bound that is known now.
static bool fitsPanel(const Kernel &kernel, const Group &group, AffineMap access, int vectorDim) {
  int64_t bytes = 8;
  for (AffineExpr index : access.getResults()) {
    Dim dim = cast<AffineDimExpr>(index).getPosition();
    if (int(dim) == group.vectorDim)
      bytes *= 8 * group.lanes;
    else if (contains(group.outer, dim))
      continue;
    else if (int(dim) != group.stepDim && !kernel.isStatic(dim))
      return false;
    else
      bytes *= group.sizeIn(kernel, dim);
  }
  return bytes <= panelLimit;
}

/// Bytes of all operands that have vectors, over a step if there are steps.
static int64_t vectorBytes(const Kernel &kernel, const Group &group, const Pass &pass) {
  int64_t bytes = 0;
  for (linalg::GenericOp op : contractionsOf(pass))
    for (OpOperand *operand : op.getDpsInputOperands()) {
      AffineMap access = kernel.access(*operand);
      if (!dependsOn(access, group.vectorDim))
        continue;
      int64_t size = 4;
      for (Dim dim : kernel.loops(op))
        if (dependsOn(access, dim))
          size *= int(dim) == group.stepDim ? group.stepSize : sizeOr(kernel, dim, 32);
      bytes += size;
    }
  return bytes;
}

/// Whether computing all rows of one panel before the next writes results in another order than
/// they lie in memory: a dimension that selects panels comes after the rows.
static bool scattersResults(const Kernel &kernel, const Group &group, const Pass &pass) {
  auto isWhole = [&](Dim dim) {
    int64_t tile = int(dim) == group.vectorDim ? group.tileWidth : 1;
    return kernel.isStatic(dim) && kernel.size(dim) <= tile;
  };
  Dims kept = sharedByRows(kernel, group, contractionsOf(pass));
  for (Dim dim : llvm::reverse(group.outer)) {
    if (int(dim) == group.rowDim)
      return false;
    if (contains(kept, dim) && !isWhole(dim))
      return true;
  }
  return false;
}

/// Whether results are many and what their vectors read is little: then results are written in
/// their order in memory, since waiting for that costs more than reading operands anew.
static bool writesMuch(const Kernel &kernel, const Group &group, const Pass &pass) {
  constexpr int64_t cached = 256 << 10, much = 2 << 20;
  int64_t written = 4 * pass.stores.size();
  for (Dim dim : group.outer)
    written *= sizeOr(kernel, dim, 32);
  return written >= much && vectorBytes(kernel, group, pass) <= cached &&
         scattersResults(kernel, group, pass);
}

/// How many bytes apart the operand's elements lie along `dim`; 0 if that is unknown.
static int64_t strideAlong(const Kernel &kernel, OpOperand &operand, Dim dim) {
  auto type = cast<RankedTensorType>(operand.get().getType());
  int64_t stride = type.getElementTypeBitWidth() / 8;
  for (auto [index, size] :
       llvm::reverse(llvm::zip_equal(kernel.access(operand).getResults(), type.getShape()))) {
    if (cast<AffineDimExpr>(index).getPosition() == dim)
      return stride;
    if (ShapedType::isDynamic(size))
      return 0;
    stride *= size;
  }
  return 0;
}

/// Vectors that are read in turn, but lie far apart: they compete for the same few places of the
/// first-level cache. A copy pays if enough tiles use it.
static bool isScattered(const Kernel &kernel, const Group &group, const Pass &pass,
                        OpOperand &operand) {
  constexpr int64_t farApart = 2048, enoughTiles = 4;
  if (group.vectorDim == noDim || group.rowDim == noDim || writesMuch(kernel, group, pass))
    return false;
  int64_t rows = 1;
  for (Dim dim : group.outer)
    if (!dependsOn(kernel.access(operand), dim))
      rows *= sizeOr(kernel, dim, 1);
  if (rows < enoughTiles * group.rows)
    return false;
  return llvm::any_of(kernel.access(operand).getResults(), [&](AffineExpr index) {
    Dim dim = cast<AffineDimExpr>(index).getPosition();
    return !contains(group.outer, dim) && strideAlong(kernel, operand, dim) >= farApart;
  });
}

static void findPacked(const Kernel &kernel, Group &group) {
  for (const Pass &pass : group.passes)
    for (linalg::GenericOp op : contractionsOf(pass))
      for (OpOperand *operand : op.getDpsInputOperands()) {
        AffineMap access = kernel.access(*operand);
        int vectorDim = group.vectorDimOf(pass);
        if (vectorDim == noDim || !isa<BlockArgument>(operand->get()) ||
            !access.isProjectedPermutation() || !fitsPanel(kernel, group, access, vectorDim))
          continue;
        // All rows of a tile read the same panel.
        if (group.rowDim != noDim && group.rows > 1 && dependsOn(access, group.rowDim))
          continue;
        Step step = stepOf(access, vectorDim);
        auto element = dyn_cast<FloatType>(getElementTypeOrSelf(operand->get().getType()));
        if (!element || step == Step::None ||
            (step == Step::Unit && !isScattered(kernel, group, pass, *operand)))
          continue;
        int along = adjacentDim(access);
        bool inner = along == vectorDim || !contains(group.outer, along);
        group.packed.push_back({operand, inner ? along : noDim});
      }
}

/// Bytes of a copy of what a step reads of the operand for all rows; none if that is not of rows
/// and of what is reduced alone, or has no bound that is known now.
static std::optional<int64_t> rowPanelBytes(const Kernel &kernel, const Group &group,
                                            OpOperand &operand) {
  int64_t bytes = getElementTypeOrSelf(operand.get().getType()).getIntOrFloatBitWidth() / 8;
  for (AffineExpr index : kernel.access(operand).getResults()) {
    Dim dim = cast<AffineDimExpr>(index).getPosition();
    if (int(dim) == group.rowDim)
      bytes *=
          llvm::divideCeil(kernel.size(dim), group.rows) * llvm::alignTo(group.rows, group.lanes);
    else if (contains(group.outer, dim) || (int(dim) != group.stepDim && !kernel.isStatic(dim)))
      return {};
    else
      bytes *= group.sizeIn(kernel, dim);
  }
  return bytes;
}

/// How many tiles read the same rows.
static int64_t tilesBesideRows(const Kernel &kernel, const Group &group) {
  int64_t tiles = 1;
  for (Dim dim : without(group.outer, Dims{Dim(group.rowDim)})) {
    int64_t width = int(dim) == group.vectorDim ? group.tileWidth : 1;
    tiles *= llvm::divideCeil(sizeOr(kernel, dim, 32), width);
  }
  return tiles;
}

/// Elements that a tile's rows read side by side, but far from those that are multiplied next: each
/// brings a line of its own to the cache, which competes for the same few places there. A copy pays
/// if enough tiles use it.
static void findPackedRows(const Kernel &kernel, Group &group) {
  constexpr int64_t farApart = 512, enoughTiles = 4, limit = 512 << 10;
  if (group.stepDim == noDim || group.rowDim == noDim || group.rows == 1 ||
      !kernel.isStatic(group.rowDim) || tilesBesideRows(kernel, group) < enoughTiles)
    return;
  const ContractionGroup &contraction = group.passes.front().contractions.front();
  for (linalg::GenericOp op : contraction.ops)
    for (OpOperand *operand : op.getDpsInputOperands()) {
      AffineMap access = kernel.access(*operand);
      if (!isa<BlockArgument>(operand->get()) || !access.isProjectedPermutation() ||
          !isa<FloatType>(getElementTypeOrSelf(operand->get().getType())) ||
          adjacentDim(access) != group.rowDim || dependsOn(access, group.vectorDim) ||
          strideAlong(kernel, *operand, contraction.over.back()) < farApart)
        continue;
      std::optional<int64_t> bytes = rowPanelBytes(kernel, group, *operand);
      if (bytes && *bytes <= limit)
        group.packedRows.push_back(operand);
    }
}

/// A pointwise op that reads an operand across its vectors turns square blocks in registers.
static int transposedDim(const Kernel &kernel, const Group &group) {
  if (group.vectorDim == noDim)
    return noDim;
  for (linalg::GenericOp op : kernel.getOps())
    for (OpOperand &operand : op->getOpOperands()) {
      if (isReduction(op) || !isa<BlockArgument>(operand.get()))
        continue;
      AffineMap access = kernel.access(operand);
      int along = adjacentDim(access);
      if (along != noDim && stepOf(access, group.vectorDim) == Step::Strided &&
          contains(group.outer, along) && access.isProjectedPermutation())
        return along;
    }
  return noDim;
}

/// What all iterations of a contraction's reduction read for one tile, in bytes.
static int64_t streamedBytes(const Kernel &kernel, const Group &group,
                             const ContractionGroup &contraction) {
  int64_t bytes = group.tileWidth * 4;
  for (Dim dim : contraction.over)
    bytes *= sizeOr(kernel, dim, 32);
  return bytes;
}

/// Bytes of scratch that hold sums between steps; it lies on the stack.
static constexpr int64_t sumsLimit = 256 << 10;

static bool sumsFitScratch(const Kernel &kernel, const ContractionGroup &contraction) {
  int64_t bytes = 0;
  for (linalg::GenericOp op : contraction.ops)
    for (Value result : op->getResults()) {
      auto type = cast<RankedTensorType>(result.getType());
      if (!type.hasStaticShape())
        return false;
      bytes += type.getNumElements() * type.getElementTypeBitWidth() / 8;
    }
  return bytes <= sumsLimit;
}

/// So many products are added between reading a sum and writing it that this does not matter.
static int64_t stepSize(const Kernel &kernel, const ContractionGroup &contraction) {
  constexpr int64_t enough = 128;
  Dim dim = contraction.over.front();
  int64_t products = 1;
  for (Dim inner : ArrayRef(contraction.over).drop_front())
    products *= sizeOr(kernel, inner, 32);
  int64_t size = llvm::divideCeil(enough, std::max<int64_t>(products, 1));
  return kernel.isStatic(dim) ? std::clamp<int64_t>(size, 1, std::max<int64_t>(kernel.size(dim), 1))
                              : size;
}

/// The outermost reduced dimension, if each tile would stream operands through the cache anew.
static void chooseStepDim(const Kernel &kernel, const CPUTarget &target, Group &group) {
  // The more a tile's registers hold, the more multiply-adds there are for each line that is read.
  // Measured on Zen 4 (256 KiB) and Zen 3 (64 KiB).
  int64_t cached = 128 * target.vectorBytes * target.vectorRegisters;
  if (group.passes.size() != 1 || group.vectorDim == noDim)
    return;
  const Pass &pass = group.passes.front();
  if (pass.contractions.size() != 1 || !pass.inner.empty())
    return;
  const ContractionGroup &contraction = pass.contractions.front();
  if (contraction.over.size() < 2 || streamedBytes(kernel, group, contraction) <= cached)
    return;
  bool restsInOutputs = llvm::all_of(contraction.ops, [&](linalg::GenericOp op) {
    return llvm::all_of(op->getResults(), [&](Value result) { return kernel.isOutput(result); });
  });
  group.sumsRestInScratch = !restsInOutputs || pass.stores.size() != contraction.ops.size();
  if (group.sumsRestInScratch && !sumsFitScratch(kernel, contraction))
    return;
  group.stepDim = contraction.over.front();
  group.stepSize = stepSize(kernel, contraction);
}

/// Several rows of a short dimension: what they have in common is computed once.
static int shortDim(const Kernel &kernel, const Group &group) {
  for (Dim dim : llvm::reverse(group.outer))
    if (int(dim) != group.vectorDim)
      return kernel.isStatic(dim) && kernel.size(dim) >= 2 && kernel.size(dim) <= 4 ? int(dim)
                                                                                    : noDim;
  return noDim;
}

/// A rest of few rows is few chains of multiply-adds, each of which waits for the one before: then
/// the last full tile shares with it.
static void shareRest(const Kernel &kernel, Group &group, int64_t accumulators) {
  if (group.rowDim == noDim || !kernel.isStatic(group.rowDim) || !group.packedRows.empty())
    return;
  int64_t size = kernel.size(group.rowDim), rest = size % group.rows, both = group.rows + rest;
  if (rest == 0 || size < both || both % 2 != 0 ||
      rest * group.vectors * accumulators >= busyChains)
    return;
  if (size == both)
    group.rows = both / 2;
  else
    group.lastRows = both / 2;
}

void chooseBlock(const Kernel &kernel, const CPUTarget &target, Group &group) {
  const Pass *heaviest = nullptr;
  for (const Pass &pass : group.passes)
    if (!pass.contractions.empty() && !heaviest)
      heaviest = &pass;

  auto vectorsOf = [&](int dim) -> int64_t {
    return dim == noDim ? 1 : llvm::divideCeil(sizeOr(kernel, dim, 64 * group.lanes), group.lanes);
  };
  if (!heaviest) {
    int64_t widest = 1;
    for (const Pass &pass : group.passes)
      widest = std::max(widest, vectorsOf(group.vectorDimOf(pass)));
    group.vectors = std::clamp<int64_t>(widest, 1, 4);
    group.tileWidth = pointwiseTile;
    if (int turned = transposedDim(kernel, group); turned != noDim) {
      group.rowDim = turned;
      group.rows = group.tileWidth = group.lanes;
      group.vectors = 1;
    } else if (int dim = shortDim(kernel, group); dim != noDim && widest == 1) {
      group.rowDim = dim;
      group.rows = kernel.size(dim);
    }
    return;
  }
  int vectorDim = group.vectorDimOf(*heaviest);
  group.rowDim = chooseRowDim(kernel, group, contractionsOf(*heaviest), vectorDim);
  int64_t accumulators = 0;
  for (linalg::GenericOp op : heaviest->contractions.front().ops)
    accumulators += op->getNumResults();
  bool rowsKnown = group.rowDim == noDim || kernel.isStatic(group.rowDim);
  int64_t rows = group.rowDim == noDim ? 1 : sizeOr(kernel, group.rowDim, 1024);
  int64_t registers = std::max<int64_t>((target.vectorRegisters - 4) / accumulators, 4);
  if (accumulators == 1)
    registers = target.vectorRegisters;
  // Where rows have nothing in common, as in pooling, there need only be enough for the latency.
  constexpr int64_t enoughForLatency = 12;
  bool rowsShare = group.rowDim == noDim ||
                   sharesVectors(kernel, contractionsOf(*heaviest), group.rowDim, vectorDim);
  if (!rowsShare)
    registers = std::min(registers, enoughForLatency);
  Shape block =
      TileModel(target.vectorBytes < 64, registers, rows, rowsKnown, vectorsOf(vectorDim)).best();
  group.rows = block.rows;
  group.vectors = block.vectors;
  group.tileWidth = group.vectorDim == noDim ? 0 : block.vectors * group.lanes;
  chooseStepDim(kernel, target, group);
  findPacked(kernel, group);
  findPackedRows(kernel, group);
  shareRest(kernel, group, accumulators);
  constexpr int64_t firstLevelCache = 32 << 10;
  bool vectorsInnermost = vectorBytes(kernel, group, *heaviest) <= firstLevelCache ||
                          writesMuch(kernel, group, *heaviest);
  if (group.vectorDim != noDim && rowsShare && (!group.packed.empty() || !vectorsInnermost))
    group.keptDims = sharedByRows(kernel, group, contractionsOf(*heaviest));
}

} // namespace formwork
