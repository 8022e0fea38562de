// Chunks and tiles. Blocks are written in Block.cpp, panels in Panels.cpp, and what is asked for
// early in Prefetch.cpp.
#include "codegen/cpu/Nest.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace formwork {

Nest::Nest(const Kernel &kernel, const Group &group, Writer &writer, Evaluator &evaluator,
           const DenseMap<Value, Values> &outputs)
    : kernel(kernel), group(group), writer(writer), evaluator(evaluator), outputs(outputs) {}

//===--- chunks ----------------------------------------------------------------------------------

int64_t Nest::blockSize(Dim dim) const {
  return int(dim) == group.rowDim ? group.rows : int(dim) == group.vectorDim ? group.tileWidth : 1;
}

Value Nest::blockCount(Dim dim) {
  int64_t size = blockSize(dim);
  Value extent = evaluator.extent(dim);
  if (size == 1)
    return extent;
  return writer.make<arith::DivUIOp>(writer.add(extent, size - 1), writer.index(size));
}

Value Nest::blockBegin(Dim dim, Value block) {
  Value begin = writer.mul(block, writer.index(blockSize(dim)));
  if (int(dim) != group.rowDim || group.lastRows == 0)
    return begin;
  // The last two follow those that are full: from there on this is less.
  int64_t count = llvm::divideCeil(kernel.size(dim), group.rows);
  Value last = writer.mul(block, writer.index(group.lastRows));
  return writer.minimum(begin, writer.add(last, kernel.size(dim) - count * group.lastRows));
}

/// Outer dimensions that select a panel or what else is to stay in the cache: of each of their
/// blocks, all others are computed before the next.
Dims Nest::panelDims() const {
  Dims dims;
  for (Dim dim : group.outer)
    if (contains(group.keptDims, dim) || llvm::any_of(group.packed, [&](const Packed &packed) {
          return dependsOn(kernel.access(*packed.operand), dim);
        }))
      dims.push_back(dim);
  return dims;
}

Value Nest::chunks() {
  Value count = writer.index(1);
  for (Dim dim : group.outer)
    count = writer.mul(count, blockCount(dim));
  return count;
}

void Nest::write(Value begin, Value end) {
  evaluator.enter(group);
  Values at(kernel.dimCount());
  if (group.stepDim == noDim)
    return writeChunks(begin, end, at);
  phase = InitialValues;
  writeChunks(begin, end, at);
  phase = OneStep;
  auto add = [&](Value step, ValueRange) {
    evaluator.countFrom(group.stepDim, step);
    stepBegin = step;
    for (OpOperand *operand : group.packedRows)
      writeRowPanel(*operand);
    writeChunks(begin, end, at);
    return Values();
  };
  writer.loop(writer.index(0), evaluator.extent(group.stepDim), group.stepSize, {}, add,
              {1, "step", "What one step reads stays in the cache for all tiles."});
  if (!group.sumsRestInScratch)
    return;
  phase = CompleteSums;
  writeChunks(begin, end, at);
}

/// Chunks are numbered panel by panel, the last dimension fastest.
void Nest::writeChunks(Value begin, Value end, const Values &at) {
  Dims order = panelDims();
  order.append(without(group.outer, order));
  writeBlocks(order, begin, end, at);
}

/// Blocks [begin, end) of these dimensions as nested loops: nothing is divided inside them.
void Nest::writeBlocks(ArrayRef<Dim> dims, Value begin, Value end, Values at) {
  bool reads = phase == AllAtOnce || phase == OneStep;
  if (reads && !group.packed.empty() && dims.size() == group.outer.size() - panelDims().size())
    writer.branch(
        writer.make<arith::CmpIOp>(arith::CmpIPredicate::slt, begin, end), {},
        [&] { return writePanels(at), Values(); }, [] { return Values(); });
  if (dims.empty()) {
    writer.loop(begin, end, 1, {}, [&](Value, ValueRange) { return writeTileRows(at), Values(); });
    return;
  }
  Dim dim = dims.front();
  dims = dims.drop_front();
  if (constantOf(blockCount(dim)) == 1) {
    at[dim] = writer.index(0);
    return writeBlocks(dims, begin, end, at);
  }
  Value inside = writer.index(1);
  for (Dim inner : dims)
    inside = writer.mul(inside, blockCount(inner));
  // Where there are no blocks nothing is looped over, but the divisions take place.
  inside = writer.make<arith::MaxUIOp>(inside, writer.index(1));
  Value first = writer.make<arith::DivUIOp>(begin, inside);
  Value last = writer.make<arith::CeilDivUIOp>(end, inside);
  writer.loop(first, last, 1, {}, [&](Value block, ValueRange) {
    at[dim] = blockBegin(dim, block);
    if (constantOf(inside) == 1)
      return writeBlocks(dims, writer.index(0), inside, at), Values();
    Value start = writer.mul(block, inside);
    Value from = writer.make<arith::SubIOp>(begin, start);
    Value to = writer.make<arith::SubIOp>(end, start);
    writeBlocks(dims, writer.make<arith::MaxSIOp>(from, writer.index(0)),
                writer.minimum(to, inside), at);
    return Values();
  });
}

//===--- what all parts use ----------------------------------------------------------------------

/// On the stack, at the function's beginning.
Value Nest::allocate(ArrayRef<int64_t> shape, Type element) {
  ImplicitLocOpBuilder &builder = writer.builder;
  OpBuilder::InsertionGuard guard(builder);
  Operation *parent = builder.getInsertionBlock()->getParentOp();
  auto function = dyn_cast<func::FuncOp>(parent);
  if (!function)
    function = parent->getParentOfType<func::FuncOp>();
  builder.setInsertionPointToStart(&function.front());
  return memref::AllocaOp::create(builder, MemRefType::get(shape, evaluator.memoryType(element)),
                                  builder.getI64IntegerAttr(64));
}

/// Which indices of a reduced dimension are being computed with, if not all: a part of a long sum,
/// or a step.
std::optional<Nest::Portion> Nest::portionOf(Dim dim) const {
  if (part && dim == part->dim)
    return part;
  if (phase == OneStep && int(dim) == group.stepDim)
    return Portion{dim, stepBegin, group.stepSize};
  return {};
}

/// All indices of a reduced dimension that are being computed with.
std::pair<Value, Value> Nest::wholeRange(Dim dim) {
  Value extent = evaluator.extent(dim);
  std::optional<Portion> portion = portionOf(dim);
  if (!portion)
    return {writer.index(0), extent};
  auto [_, begin, size] = *portion;
  Value end = writer.add(begin, size);
  bool divides = size == 1 || (kernel.isStatic(dim) && kernel.size(dim) % size == 0);
  return {begin, divides ? end : writer.minimum(end, extent)};
}

/// The first `count` lanes; nothing if that is known to be all of them.
Value Nest::maskOf(Value count) {
  auto constant = constantOf(count);
  if (constant && *constant >= group.lanes)
    return {};
  VectorType type = vectorOf(group.lanes, writer.builder.getI1Type());
  return writer.make<vector::CreateMaskOp>(type, ValueRange(count));
}

//===--- tiles -----------------------------------------------------------------------------------

/// A tile of all rows, or of as many as are left.
void Nest::writeTileRows(const Values &at) {
  Block tile{at, group.rows, 1, noDim, {}, 0};
  if (group.rowDim == noDim || group.rows == 1)
    return writeTile(tile);
  int64_t size = kernel.size(group.rowDim);
  if (kernel.isStatic(group.rowDim) && size % group.rows == 0)
    return writeTile(tile);

  Value left = writer.make<arith::SubIOp>(evaluator.extent(group.rowDim), at[group.rowDim]);
  int64_t least = group.lastRows ? 2 * group.lastRows + 1 : group.rows;
  Value full = writer.make<arith::CmpIOp>(arith::CmpIPredicate::sge, left, writer.index(least));
  auto rest = [&] {
    if (kernel.isStatic(group.rowDim)) {
      tile.rows = group.lastRows ? group.lastRows : size % group.rows;
      writeTile(tile);
      return Values();
    }
    // The binary digits of what is left.
    Value row = at[group.rowDim];
    for (int64_t digit = llvm::bit_floor(uint64_t(group.rows - 1)); digit; digit /= 2) {
      Value has = writer.make<arith::CmpIOp>(arith::CmpIPredicate::ne,
                                             writer.make<arith::AndIOp>(left, writer.index(digit)),
                                             writer.index(0));
      writer.branch(
          has, {},
          [&] {
            tile.rows = digit;
            tile.at[group.rowDim] = row;
            writeTile(tile);
            return Values();
          },
          [] { return Values(); });
      row = writer.add(row, writer.make<arith::AndIOp>(left, writer.index(digit)));
    }
    return Values();
  };
  auto whole = [&] { return writeTile(tile), Values(); };
  writer.branch(full, {}, whole, rest);
}

void Nest::writeTile(const Block &tile) {
  readRowPanels(tile);
  auto passes = [&](const Block &block) {
    for (const Pass &pass : group.passes)
      writePass(pass, block);
    // The next tile, or variant of this one, begins anew.
    for (const Pass &pass : group.passes)
      for (Value value : pass.stores)
        evaluator.forget(value);
  };
  if (group.vectorDim == noDim)
    passes(tile);
  else
    writeColumns(group.vectorDim, tile, passes);
}

void Nest::writePass(const Pass &pass, const Block &tile) {
  startStatistics(pass, tile);
  writeInner(pass, pass.inner, tile);
  finishStatistics(pass, tile);
  remember(pass);
}

/// Loops over the inner dimensions; the innermost of them in blocks if vectors lie along it.
void Nest::writeInner(const Pass &pass, ArrayRef<Dim> dims, Block block) {
  if (dims.empty()) {
    block.place = ++places;
    return writeBlock(pass, block);
  }
  if (dims.size() == 1 && group.vectorDim == noDim)
    return writeColumns(dims.front(), block,
                        [&](const Block &inner) { writeInner(pass, {}, inner); });
  writer.loop(writer.index(0), evaluator.extent(dims.front()), 1, {}, [&](Value index, ValueRange) {
    block.at[dims.front()] = index;
    writeInner(pass, dims.drop_front(), block);
    return Values();
  });
}

/// Blocks of vectors along `dim`, and what is left at its end: masked.
void Nest::writeColumns(int dim, Block block, BlockBody body) {
  block.vectorDim = dim;
  bool outer = dim == group.vectorDim;
  int64_t lanes = group.lanes, width = group.vectors * lanes;
  int64_t size = kernel.size(dim);
  bool known = kernel.isStatic(dim);
  auto blocks = [&](Value at, int64_t vectors, Value mask) {
    Block next = block;
    next.at[dim] = at;
    next.vectors = vectors;
    next.mask = mask;
    body(next);
    return Values();
  };

  Value start = outer ? block.at[dim] : writer.index(0), end = evaluator.extent(dim);
  Value tileEnd = outer ? writer.minimum(writer.add(start, group.tileWidth), end) : end;
  // Known sizes leave the same rest in the last tile, and none in the others.
  int64_t rest = size % width;
  auto known_rest = [&](Value at) {
    Value mask = rest % lanes ? maskOf(writer.index(rest % lanes)) : Value();
    return blocks(at, llvm::divideCeil(rest, lanes), mask);
  };
  auto full = [&] { return blocks(start, group.vectors, {}); };
  if (outer && group.tileWidth == width && known) {
    if (rest == 0)
      return void(full());
    if (size < width)
      return void(known_rest(start));
    Value isFull =
        writer.make<arith::CmpIOp>(arith::CmpIPredicate::sle, writer.add(start, width), end);
    return void(writer.branch(isFull, {}, full, [&] { return known_rest(start); }));
  }
  Value span = writer.make<arith::SubIOp>(tileEnd, start);
  Value wholeWidth =
      writer.mul(writer.make<arith::DivUIOp>(span, writer.index(width)), writer.index(width));
  Value fullEnd = writer.add(start, wholeWidth);
  auto whole = [&](Value at, ValueRange) { return blocks(at, group.vectors, {}); };
  writer.loop(start, fullEnd, width, {}, whole, {1, "column"});
  if (known && rest == 0)
    return;
  if (known) {
    if (!outer || size <= group.tileWidth)
      return void(known_rest(fullEnd));
    Value hasRest = writer.make<arith::CmpIOp>(arith::CmpIPredicate::slt, fullEnd, tileEnd);
    return void(writer.branch(
        hasRest, {}, [&] { return known_rest(fullEnd); }, [] { return Values(); }));
  }
  auto masked = [&](Value at, ValueRange) {
    return blocks(at, 1, maskOf(writer.make<arith::SubIOp>(tileEnd, at)));
  };
  writer.loop(fullEnd, tileEnd, lanes, {}, masked,
              {1, "column", "The rest, a vector at a time: lanes beyond the end are masked."});
}

} // namespace formwork
