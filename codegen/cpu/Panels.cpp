// Panels: copies of what a tile reads, laid out in the order in which it is read.
#include "codegen/cpu/Nest.h"

#include "codegen/cpu/Transpose.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace formwork {

void Nest::writePanels(const Values &at) {
  for (const Packed &packed : group.packed)
    writePanel(packed, at);
}

/// The dimension that vectors lie along in the pass of `op`.
static int vectorDimOf(const Group &group, Operation *op) {
  for (const Pass &pass : group.passes)
    for (const ContractionGroup &contraction : pass.contractions)
      if (llvm::is_contained(contraction.ops, op))
        return group.vectorDimOf(pass);
  return noDim;
}

/// For readers of printed source.
static std::string commentOn(bool turned) {
  return std::string("Copies a panel") + (turned ? ", its blocks turned" : "") +
         ": vectors that are used one after the other lie one after the other.";
}

/// Panels hold one step: where in a panel an index of a reduced dimension is.
Value Nest::panelIndex(Dim dim, const Values &at) {
  return int(dim) == group.stepDim ? writer.make<arith::SubIOp>(at[dim], stepBegin) : at[dim];
}

/// Nested loops over `dims`, the first outermost; `at` follows them.
void Nest::loopOver(ArrayRef<Dim> dims, Values &at, llvm::function_ref<DimLoop(Dim)> loopAlong,
                    llvm::function_ref<void()> body) {
  if (dims.empty())
    return body();
  DimLoop loop = loopAlong(dims.front());
  auto inside = [&](Value index, ValueRange) {
    at[dims.front()] = index;
    loopOver(dims.drop_front(), at, loopAlong, body);
    return Values();
  };
  writer.loop(loop.from, loop.to, loop.step, {}, inside, loop.style);
}

/// The dimensions of a panel beside the one whose elements are adjacent in it: those that a tile
/// has all of.
Dims Nest::panelRows(OpOperand &operand, Dim adjacent) const {
  Dims rows;
  for (AffineExpr index : kernel.access(operand).getResults())
    if (auto dim = dyn_cast<AffineDimExpr>(index))
      if (dim.getPosition() != adjacent && !contains(group.outer, dim.getPosition()))
        rows.push_back(dim.getPosition());
  return rows;
}

/// Allocated when it is first asked for: blocks that are turned may be written beyond the last row.
Value Nest::panelOf(const Packed &packed, ArrayRef<Dim> rows, int64_t width) {
  Value &panel = panels[packed.operand];
  if (panel)
    return panel;
  SmallVector<int64_t> shape;
  for (Dim dim : rows)
    shape.push_back(
        llvm::alignTo(group.sizeIn(kernel, dim), int(dim) == packed.along ? group.lanes : 1));
  shape.push_back(width);
  return panel = allocate(shape, getElementTypeOrSelf(packed.operand->get().getType()));
}

/// Copies an operand so that the vector dimension is adjacent: one row per index of the others.
void Nest::writePanel(const Packed &packed, Values at) {
  Dim vectorDim = vectorDimOf(group, packed.operand->getOwner());
  Dims rows = panelRows(*packed.operand, vectorDim), dims = rows;
  dims.push_back(vectorDim);
  bool outer = int(vectorDim) == group.vectorDim;
  int64_t width = outer ? group.tileWidth : llvm::alignTo(kernel.size(vectorDim), group.lanes);
  Value panel = panelOf(packed, rows, width);
  Value start = outer ? at[vectorDim] : writer.index(0);
  // Of an unknown number of columns the last are computed a vector at a time.
  Value firstColumn = outer && !kernel.isStatic(vectorDim) ? start : Value();
  evaluator.setPanel(packed.operand, {Storage::Scratch, panel, dims, {}, firstColumn});

  bool turned = contains(rows, packed.along);
  auto loopAlong = [&](Dim dim) -> DimLoop {
    auto [from, to] = wholeRange(dim);
    if (dim != vectorDim)
      return {from, to, int(dim) == packed.along ? group.lanes : 1, {}};
    return {start,
            writer.minimum(writer.add(start, width), to),
            group.lanes,
            {1, "column", commentOn(turned)}};
  };
  auto store = [&](Value vector, Value turnedRow) {
    Values indices;
    for (Dim dim : rows) {
      Value index = panelIndex(dim, at);
      indices.push_back(turnedRow && int(dim) == packed.along ? writer.add(index, turnedRow)
                                                              : index);
    }
    indices.push_back(writer.make<arith::SubIOp>(at[vectorDim], start));
    vector::StoreOp::create(writer.builder, vector, panel, indices);
  };
  auto copy = [&] {
    if (!turned) {
      if (outer)
        prefetchNextPanel(*packed.operand, at, width);
      return store(panelVector(*packed.operand, at, vectorDim, group.lanes), {});
    }
    Value block = turnedBlock(packed, at, kernel.access(*packed.operand), vectorDim);
    auto storeRow = [&](Value row) {
      store(memref::LoadOp::create(writer.builder, block, row), row);
    };
    writer.rows(group.lanes, storeRow);
  };
  loopOver(dims, at, loopAlong, copy);
}

/// Lanes of the vector dimension by lanes of what is adjacent in the operand, turned: an array of
/// registers.
Value Nest::turnedBlock(const Packed &packed, const Values &at, AffineMap access, Dim vectorDim) {
  Value buffer = evaluator.outside(packed.operand->get());
  VectorType type = vectorOf(group.lanes, cast<MemRefType>(buffer.getType()).getElementType());
  Value zero = writer.make<arith::ConstantOp>(type, writer.builder.getZeroAttr(type));
  Value last = writer.add(evaluator.extent(vectorDim), -1);
  Value mask = maskOf(writer.make<arith::SubIOp>(evaluator.extent(packed.along), at[packed.along]));
  if (kernel.isStatic(packed.along) && kernel.size(packed.along) % group.lanes == 0)
    mask = {};
  auto rows = memref::AllocaOp::create(writer.builder, MemRefType::get({group.lanes}, type));
  rows->setDiscardableAttr(nameAttr, writer.builder.getStringAttr("block"));
  writer.rows(group.lanes, [&](Value lane) {
    Values place = at;
    // Beyond the end any column will do: what is stored of it is never used.
    place[vectorDim] = writer.minimum(writer.add(at[vectorDim], lane), last);
    Values indices;
    for (AffineExpr index : access.getResults())
      indices.push_back(writer.expression(index, place));
    Value row = mask ? writer.make<vector::MaskedLoadOp>(type, buffer, indices, mask, zero)
                     : writer.make<vector::LoadOp>(type, buffer, indices);
    memref::StoreOp::create(writer.builder, row, rows, lane);
  });
  transposeInRegisters(writer, rows);
  return rows;
}

/// One vector as it is, or gathered element by element. Vectors begin at multiples of `spacing`.
Value Nest::panelVector(OpOperand &operand, const Values &at, Dim vectorDim, int64_t spacing) {
  Point place;
  place.at = at;
  place.vectorDim = vectorDim;
  place.lanes = group.lanes;
  place.place = ++places;
  bool fits = kernel.isStatic(vectorDim) && kernel.size(vectorDim) % group.lanes == 0 &&
              spacing % group.lanes == 0;
  if (!fits)
    place.mask = maskOf(writer.make<arith::SubIOp>(evaluator.extent(vectorDim), at[vectorDim]));
  return evaluator.read(operand.get(), kernel.access(operand), place);
}

//===--- rows ------------------------------------------------------------------------------------

/// Copies what a step reads of an operand for all tiles: the elements of a tile's rows lie side by
/// side, and what is multiplied next follows them.
void Nest::writeRowPanel(OpOperand &operand) {
  Dims dims = panelRows(operand, group.rowDim);
  int64_t size = kernel.size(group.rowDim), width = llvm::alignTo(group.rows, group.lanes);
  Value &panel = panels[&operand];
  if (!panel) {
    SmallVector<int64_t> shape{int64_t(llvm::divideCeil(size, group.rows))};
    for (Dim dim : dims)
      shape.push_back(group.sizeIn(kernel, dim));
    shape.push_back(width);
    panel = allocate(shape, getElementTypeOrSelf(operand.get().getType()));
  }
  Values at(kernel.dimCount());
  auto copyRows = [&](Value tile) {
    Values indices{tile};
    for (Dim dim : dims)
      indices.push_back(panelIndex(dim, at));
    Value first = writer.mul(tile, writer.index(group.rows));
    for (int64_t row = 0; row < width; row += group.lanes) {
      at[group.rowDim] = writer.add(first, row);
      Values place = indices;
      place.push_back(writer.index(row));
      Value rows = panelVector(operand, at, group.rowDim, group.rows);
      vector::StoreOp::create(writer.builder, rows, panel, place);
    }
  };
  auto loopAlong = [&](Dim dim) -> DimLoop {
    auto [from, to] = wholeRange(dim);
    std::string comment;
    if (dim == dims.front())
      comment = "Copies what the rows of all tiles read: of each tile one after the other.";
    return {from, to, 1, {1, "", comment}};
  };
  auto copyTiles = [&] {
    writer.loop(writer.index(0), writer.index(llvm::divideCeil(size, group.rows)), 1, {},
                [&](Value tile, ValueRange) { return copyRows(tile), Values(); });
  };
  loopOver(dims, at, loopAlong, copyTiles);
}

/// Lets the tile read its part of each panel.
void Nest::readRowPanels(const Block &tile) {
  if (phase != OneStep)
    return;
  for (OpOperand *operand : group.packedRows) {
    Dims dims = panelRows(*operand, group.rowDim);
    dims.push_back(group.rowDim);
    Value number = writer.make<arith::DivUIOp>(tile.at[group.rowDim], writer.index(group.rows));
    evaluator.setPanel(operand, {Storage::Scratch, panels.lookup(operand), dims, number});
  }
}

} // namespace formwork
