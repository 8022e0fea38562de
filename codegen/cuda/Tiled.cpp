// Tiles of products that are summed: matmul, convolution as an implicit one, their gradients.
//
// Slices of both operands come to shared memory, with whatever is computed where they are read;
// zeros stand where the sum has ended. Rows and columns beyond the last repeat the last and are not
// written.
#include "codegen/cuda/Tiled.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace formwork::cuda {

/// Neighbouring rows of a slice begin in different banks, and at multiples of 16 bytes.
static constexpr int64_t padding = 4;
/// Adjacent elements that a thread reads at once.
static constexpr int64_t quad = 4;

Value TileWriter::blocks() {
  return writer.mul(total(tiles.batch),
                    writer.mul(ceilDivide(total(tiles.rows), shape.rows),
                               ceilDivide(total(tiles.columns), shape.columns)));
}

void TileWriter::write(Value block) {
  evaluator.enter(group);
  Value acrossColumns = ceilDivide(total(tiles.columns), shape.columns);
  Value acrossRows = ceilDivide(total(tiles.rows), shape.rows);
  Value column = writer.make<arith::RemUIOp>(block, acrossColumns);
  Value rest = writer.make<arith::DivUIOp>(block, acrossColumns);
  Values at(kernel.dimCount());
  Value row = rest;
  if (constantOf(total(tiles.batch)) == 1) {
    setIndices(at, tiles.batch, index(0));
  } else {
    row = writer.make<arith::RemUIOp>(rest, acrossRows);
    setIndices(at, tiles.batch, writer.make<arith::DivUIOp>(rest, acrossRows));
  }
  firstRow = writer.mul(row, index(shape.rows));
  firstColumn = writer.mul(column, index(shape.columns));
  int64_t threadsAcross = shape.columns / shape.threadColumns;
  threadRow = divide(state.thread, threadsAcross);
  threadColumn = remainder(state.thread, threadsAcross);
  for (const Contraction &product : tiles.contractions)
    sum(product, at);
  finish(at);
}

TileWriter::Side TileWriter::leftSide(OpOperand *operand, Value memory) {
  return {operand, tiles.rows, shape.rows,       firstRow,
          memory,  /*base=*/0, shape.threadRows, threadRow};
}

TileWriter::Side TileWriter::rightSide(OpOperand *operand, Value memory) {
  int64_t behindLeft = shape.depth * (shape.rows + padding);
  return {operand, tiles.columns, shape.columns,       firstColumn,
          memory,  behindLeft,    shape.threadColumns, threadColumn};
}

//===--- sums ------------------------------------------------------------------------------------

/// Of a thread's part: quads of adjacent rows or columns, each across the whole tile.
Value TileWriter::numberOf(const Side &side, Value i) {
  int64_t width = std::min(quad, side.threadSize);
  if (width == side.threadSize)
    return writer.add(writer.mul(side.thread, index(width)), i);
  Value inQuad = remainder(i, width), which = divide(i, width);
  int64_t across = side.size / side.threadSize * width;
  return writer.add(writer.add(writer.mul(which, index(across)), inQuad),
                    writer.mul(side.thread, index(width)));
}

/// Null where the tile never reaches beyond the last.
Value TileWriter::within(const Side &side, Value number) {
  Value count = total(side.dims);
  if (auto known = constantOf(count); known && *known % side.size == 0)
    return {};
  return less(number, count);
}

void TileWriter::forEachSum(
    const Values &at, llvm::function_ref<void(const Values &, Value row, Value column)> body) {
  Side left = leftSide({}, {}), right = rightSide({}, {});
  loop(index(0), index(shape.threadRows), 1, shape.threadRows, [&](Value i) {
    Value row = writer.add(firstRow, numberOf(left, i));
    onlyIf(within(left, row), [&] {
      Values place = at;
      setIndices(place, tiles.rows, row);
      loop(index(0), index(shape.threadColumns), 1, shape.threadColumns, [&](Value j) {
        Value column = writer.add(firstColumn, numberOf(right, j));
        onlyIf(within(right, column), [&] {
          Values there = place;
          setIndices(there, tiles.columns, column);
          body(there, i, j);
        });
      });
    });
  });
}

Value TileWriter::startSums(const Contraction &product, const Values &at) {
  Type type = getElementTypeOrSelf(product.op->getResult(0).getType());
  Value sums = threadArray("sums", {shape.threadRows, shape.threadColumns}, type);
  auto &builder = writer.builder;
  loop(index(0), index(shape.threadRows), 1, shape.threadRows, [&](Value i) {
    loop(index(0), index(shape.threadColumns), 1, shape.threadColumns, [&](Value j) {
      memref::StoreOp::create(builder, writer.make<arith::ConstantOp>(builder.getZeroAttr(type)),
                              sums, ValueRange{i, j});
    });
  });
  return sums;
}

void TileWriter::sum(const Contraction &product, const Values &at) {
  Value sums = startSums(product, at);
  sumsOf[product.op] = sums;
  Type type = getElementTypeOrSelf(product.op->getResult(0).getType());
  // A product that follows another takes the same memory.
  int64_t elements = shape.depth * (shape.rows + shape.columns + 2 * padding);
  Value memory = sharedArray(type, elements);
  Side left = leftSide(product.left, memory), right = rightSide(product.right, memory);
  Value count = total(product.over);
  loop(index(0), count, shape.depth, 1, [&](Value slice) {
    fetch(product, left, at, slice);
    fetch(product, right, at, slice);
    barrier();
    multiply(left, right, sums);
    barrier();
  });
}

void TileWriter::fetch(const Contraction &product, const Side &side, const Values &at,
                       Value slice) {
  AffineMap access = kernel.access(*side.operand);
  // Neighbouring threads read what is adjacent in the operand.
  bool alongSum = stepOf(access, product.over.back()) == Step::Unit;
  int64_t elements = side.size * shape.depth, threads = shape.threads();
  Value count = total(product.over);
  auto known = constantOf(count);
  bool ends = !known || *known % shape.depth != 0;
  Type type = getElementTypeOrSelf(product.op->getResult(0).getType());
  loop(index(0), index(elements / threads), 1, elements / threads, [&](Value turn) {
    Value element = writer.add(state.thread, writer.mul(turn, index(threads)));
    Value step = alongSum ? remainder(element, shape.depth) : divide(element, side.size);
    Value place = alongSum ? divide(element, shape.depth) : remainder(element, side.size);
    Value number = writer.add(side.first, place), over = writer.add(slice, step);
    if (within(side, number))
      number = writer.minimum(number, writer.add(total(side.dims), -1));
    Values there = at;
    setIndices(there, side.dims, number);
    Value inside = ends ? less(over, count) : Value();
    if (inside)
      over = writer.minimum(over, writer.add(count, -1));
    setIndices(there, product.over, over);
    Value value = evaluator.read(side.operand->get(), access, pointAt(there));
    if (!value)
      return;
    if (inside) {
      Value zero = writer.make<arith::ConstantOp>(writer.builder.getZeroAttr(type));
      value = writer.make<arith::SelectOp>(inside, value, zero);
    }
    Value where =
        writer.add(writer.add(writer.mul(step, index(side.size + padding)), place), side.base);
    memref::StoreOp::create(writer.builder, value, side.memory, where);
  });
}

/// A thread's part of one step of a slice.
Value TileWriter::fragment(const Side &side, Value step) {
  Type type = cast<MemRefType>(side.memory.getType()).getElementType();
  Value values = threadArray(side.base ? "right" : "left", {side.threadSize}, type);
  Value row = writer.add(writer.mul(step, index(side.size + padding)), side.base);
  loop(index(0), index(side.threadSize), 1, side.threadSize, [&](Value i) {
    Value value =
        memref::LoadOp::create(writer.builder, side.memory, writer.add(row, numberOf(side, i)));
    memref::StoreOp::create(writer.builder, value, values, i);
  });
  return values;
}

void TileWriter::multiply(const Side &left, const Side &right, Value sums) {
  auto &builder = writer.builder;
  loop(index(0), index(shape.depth), 1, shape.depth, [&](Value step) {
    Value rows = fragment(left, step), columns = fragment(right, step);
    loop(index(0), index(shape.threadRows), 1, shape.threadRows, [&](Value i) {
      loop(index(0), index(shape.threadColumns), 1, shape.threadColumns, [&](Value j) {
        Value a = memref::LoadOp::create(builder, rows, i);
        Value b = memref::LoadOp::create(builder, columns, j);
        Value sum = memref::LoadOp::create(builder, sums, ValueRange{i, j});
        sum = math::FmaOp::create(builder, a, b, sum);
        memref::StoreOp::create(builder, sum, sums, ValueRange{i, j});
      });
    });
  });
}

//===--- what follows ----------------------------------------------------------------------------

void TileWriter::finish(const Values &at) {
  Values results;
  for (const Item &item : group.items)
    llvm::copy_if(item.op->getResults(), std::back_inserter(results),
                  [&](Value result) { return kernel.isOutput(result); });
  forEachSum(at, [&](const Values &place, Value i, Value j) {
    for (const Contraction &product : tiles.contractions) {
      Value sum = memref::LoadOp::create(writer.builder, sumsOf[product.op], ValueRange{i, j});
      Value start = initialValues(product.op, place).front();
      // Nothing is added to nothing.
      if (!matchPattern(start, m_AnyZeroFloat()))
        sum = writer.make<arith::AddFOp>(start, sum);
      evaluator.setStorage(product.op->getResult(0), {Storage::Element, sum, {}});
    }
    if (!evaluator.failed())
      store(results, place);
  });
}

} // namespace formwork::cuda
