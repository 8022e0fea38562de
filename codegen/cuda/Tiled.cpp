// Tiles of products that are summed: matmul, convolution as an implicit one, their gradients.
//
// Slices of both operands come to shared memory, with whatever is computed where they are read;
// zeros stand where the sum has ended. Rows and columns beyond the last repeat the last and are not
// written.
#include "codegen/cuda/Tiled.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace formwork::cuda {

/// Adjacent elements that a thread reads at once.
static constexpr int64_t quad = 4;
/// What tensor cores multiply at once, and how warps share a tile.
static constexpr int64_t coreRows = 16, coreColumns = 8, coreDepth = 8, warpsDown = 2,
                         warpsAcross = 4, warp = 32;

/// Neighbouring rows of a slice begin in different banks, and at multiples of 16 bytes.
int64_t TileWriter::padding() const { return tiles.tensorCores ? 8 : 4; }

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
  if (tiles.tensorCores) {
    Value lane = remainder(state.thread, warp), which = divide(state.thread, warp);
    threadRow = divide(which, warpsAcross);
    threadColumn = remainder(which, warpsAcross);
    laneGroup = divide(lane, 4);
    inGroup = remainder(lane, 4);
  } else {
    int64_t threadsAcross = shape.columns / shape.threadColumns;
    threadRow = divide(state.thread, threadsAcross);
    threadColumn = remainder(state.thread, threadsAcross);
  }
  for (const Contraction &product : tiles.contractions)
    sum(product, at);
  finish(at);
}

TileWriter::Side TileWriter::leftSide(OpOperand *operand, Value memory, Value from) {
  return {operand, tiles.rows,       shape.rows, firstRow,       memory,
          from,    shape.threadRows, threadRow,  /*isLeft=*/true};
}

TileWriter::Side TileWriter::rightSide(OpOperand *operand, Value memory, Value from) {
  if (from)
    from = writer.add(from, shape.depth * (shape.rows + padding()));
  return {operand, tiles.columns,       shape.columns, firstColumn,     memory,
          from,    shape.threadColumns, threadColumn,  /*isLeft=*/false};
}

//===--- sums ------------------------------------------------------------------------------------

/// Of a thread's part: quads of adjacent rows or columns, each across the whole tile.
Value TileWriter::numberOf(const Side &side, Value i) {
  if (tiles.tensorCores) {
    // The elements of a product of tensor cores that a lane holds are two by two.
    int64_t warps = side.isLeft ? warpsDown : warpsAcross;
    int64_t core = side.isLeft ? coreRows : coreColumns;
    Value inCore = side.isLeft ? writer.add(writer.mul(remainder(i, 2), index(8)), laneGroup)
                               : writer.add(writer.mul(inGroup, index(2)), remainder(i, 2));
    return writer.add(writer.add(writer.mul(side.thread, index(side.size / warps)),
                                 writer.mul(divide(i, 2), index(core))),
                      inCore);
  }
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
  Side left = leftSide({}, {}, {}), right = rightSide({}, {}, {});
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

/// Where a thread's sum of row i and column j of its part is.
Values TileWriter::placeOf(Value i, Value j) {
  if (!tiles.tensorCores)
    return {i, j};
  Value element = writer.add(writer.mul(remainder(i, 2), index(2)), remainder(j, 2));
  return {divide(i, 2), divide(j, 2), element};
}

Value TileWriter::startSums(const Contraction &product, const Values &at) {
  Type type = getElementTypeOrSelf(product.op->getResult(0).getType());
  SmallVector<int64_t> extents = {shape.threadRows, shape.threadColumns};
  if (tiles.tensorCores)
    extents = {shape.threadRows / 2, shape.threadColumns / 2, 4};
  Value sums = threadArray("sums", extents, type);
  auto &builder = writer.builder;
  loop(index(0), index(shape.threadRows), 1, shape.threadRows, [&](Value i) {
    loop(index(0), index(shape.threadColumns), 1, shape.threadColumns, [&](Value j) {
      Value zero = writer.make<arith::ConstantOp>(builder.getZeroAttr(type));
      memref::StoreOp::create(builder, zero, sums, placeOf(i, j));
    });
  });
  return sums;
}

void TileWriter::sum(const Contraction &product, const Values &at) {
  Value sums = startSums(product, at);
  sumsOf[product.op] = sums;
  // Copies ahead are of four bytes.
  if (getElementTypeOrSelf(product.op->getResult(0).getType()).isF32())
    sumAhead(product, at, sums);
  else
    sumSlices(product, at, sums);
}

/// One slice after the other.
void TileWriter::sumSlices(const Contraction &product, const Values &at, Value sums) {
  Type type = getElementTypeOrSelf(product.op->getResult(0).getType());
  Value memory = sharedArray(type, sliceElements());
  Side left = leftSide(product.left, memory, index(0));
  Side right = rightSide(product.right, memory, index(0));
  loop(index(0), total(product.over), shape.depth, 1, [&](Value slice) {
    fetch(product, left, at, slice);
    fetch(product, right, at, slice);
    barrier();
    multiply(left, right, sums);
    barrier();
  });
}

/// While one slice is multiplied, the next is on its way to the other half of the memory.
void TileWriter::sumAhead(const Contraction &product, const Values &at, Value sums) {
  Type type = getElementTypeOrSelf(product.op->getResult(0).getType());
  auto &builder = writer.builder;
  Value memory = sharedArray(type, 2 * sliceElements()), count = total(product.over);
  auto token = nvgpu::DeviceAsyncTokenType::get(builder.getContext());
  Value begun;
  auto request = [&](Value slice, Value from) {
    onlyIf(less(slice, count), [&] {
      fetch(product, leftSide(product.left, memory, from), at, slice);
      fetch(product, rightSide(product.right, memory, from), at, slice);
    });
    auto group = nvgpu::DeviceAsyncCreateGroupOp::create(builder, token, ValueRange());
    // Of all copies since the last one. (Without operands or attributes its text is ambiguous.)
    group->setAttr("fw.all", builder.getUnitAttr());
    begun = group;
  };
  auto half = [&](Value number) {
    return writer.mul(remainder(number, 2), index(sliceElements()));
  };
  request(index(0), index(0));
  loop(index(0), count, shape.depth, 1, [&](Value slice) {
    Value number = divide(slice, shape.depth), from = half(number);
    request(writer.add(slice, shape.depth), half(writer.add(number, 1)));
    // All but the last that was begun.
    nvgpu::DeviceAsyncWaitOp::create(builder, begun, builder.getI32IntegerAttr(1));
    barrier();
    Side left = leftSide(product.left, memory, from),
         right = rightSide(product.right, memory, from);
    if (tiles.tensorCores)
      multiplyInWarps(left, right, sums);
    else
      multiply(left, right, sums);
    barrier();
  });
}

/// Where in shared memory an element of a slice is.
Value TileWriter::slotOf(const Side &side, Value step, Value number) {
  return writer.add(writer.add(writer.mul(step, index(side.size + padding())), number), side.base);
}

/// To shared memory; zero if it is not inside. What lies in memory as it is goes there by itself.
void TileWriter::put(Value value, Value inside, Value memory, Value where) {
  auto &builder = writer.builder;
  auto load = value.getDefiningOp<memref::LoadOp>();
  if (load && value.getType().isF32() && !load.getMemRefType().getMemorySpace()) {
    Value read = inside ? writer.make<arith::SelectOp>(inside, index(1), index(0)) : Value();
    nvgpu::DeviceAsyncCopyOp::create(
        builder, nvgpu::DeviceAsyncTokenType::get(builder.getContext()), memory, where,
        load.getMemRef(), load.getIndices(), builder.getIndexAttr(1), read, UnitAttr());
    return;
  }
  if (inside) {
    Value zero = writer.make<arith::ConstantOp>(builder.getZeroAttr(value.getType()));
    value = writer.make<arith::SelectOp>(inside, value, zero);
  }
  memref::StoreOp::create(builder, value, memory, where);
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
    if (value)
      put(value, inside, side.memory, slotOf(side, step, place));
  });
}

/// A thread's part of one step of a slice.
Value TileWriter::fragment(const Side &side, Value step) {
  Type type = cast<MemRefType>(side.memory.getType()).getElementType();
  Value values = threadArray(side.isLeft ? "left" : "right", {side.threadSize}, type);
  loop(index(0), index(side.threadSize), 1, side.threadSize, [&](Value i) {
    Value value =
        memref::LoadOp::create(writer.builder, side.memory, slotOf(side, step, numberOf(side, i)));
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

//===--- tensor cores ----------------------------------------------------------------------------

/// A function of formwork_cuda.cuh.
static func::FuncOp helper(OpBuilder &builder, Location location, StringRef name, TypeRange from,
                           TypeRange to) {
  Operation *here = builder.getInsertionBlock()->getParentOp();
  auto module = here->getParentOfType<ModuleOp>();
  if (auto known = module.lookupSymbol<func::FuncOp>(name))
    return known;
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(module.getBody());
  auto function = func::FuncOp::create(builder, location, name, builder.getFunctionType(from, to));
  function.setPrivate();
  return function;
}

Value TileWriter::roundedTo(Value value) {
  auto &builder = writer.builder;
  auto function = helper(builder, builder.getLoc(), "fw_to_tf32", value.getType(), value.getType());
  return func::CallOp::create(builder, function, value).getResult(0);
}

/// `count` elements of an array that begin at these indices.
static Value partOf(OpBuilder &builder, Location location, Value array, Values from,
                    int64_t count) {
  auto type = cast<MemRefType>(array.getType());
  SmallVector<OpFoldResult> offsets = getAsOpFoldResult(from);
  SmallVector<OpFoldResult> sizes(type.getRank(), builder.getIndexAttr(1)), strides = sizes;
  sizes.back() = builder.getIndexAttr(count);
  auto part = cast<MemRefType>(
      memref::SubViewOp::inferRankReducedResultType(count, type, offsets, sizes, strides));
  Value view = memref::SubViewOp::create(builder, location, part, array, offsets, sizes, strides);
  // Of one type, wherever it begins.
  auto anywhere = MemRefType::get(
      count, type.getElementType(),
      StridedLayoutAttr::get(builder.getContext(), ShapedType::kDynamic, ArrayRef<int64_t>(1)));
  return part == anywhere ? view
                          : memref::CastOp::create(builder, location, anywhere, view).getResult();
}

/// As mma.m16n8k8 wants them: a lane has two rows and two steps of the left operand, a column and
/// two steps of the right one.
void TileWriter::multiplyInWarps(const Side &left, const Side &right, Value sums) {
  auto &builder = writer.builder;
  Location location = builder.getLoc();
  int64_t down = shape.threadRows / 2, across = shape.threadColumns / 2;
  Type f32 = builder.getF32Type();
  Value firstOfWarp = writer.mul(threadColumn, index(shape.columns / warpsAcross));
  loop(index(0), index(shape.depth), coreDepth, shape.depth / coreDepth, [&](Value step) {
    auto stepOf = [&](int64_t later) { return writer.add(writer.add(step, inGroup), later); };
    Value lefts = threadArray("left", {down, 4}, f32),
          rights = threadArray("right", {across, 2}, f32);
    auto get = [&](const Side &side, Value step, Value number) -> Value {
      return roundedTo(memref::LoadOp::create(builder, side.memory, slotOf(side, step, number)));
    };
    loop(index(0), index(down), 1, down, [&](Value i) {
      for (int64_t element = 0; element < 4; ++element) {
        Value number = numberOf(left, writer.add(writer.mul(i, index(2)), element % 2));
        memref::StoreOp::create(builder, get(left, stepOf(element / 2 * 4), number), lefts,
                                ValueRange{i, index(element)});
      }
    });
    loop(index(0), index(across), 1, across, [&](Value j) {
      Value number =
          writer.add(firstOfWarp, writer.add(writer.mul(j, index(coreColumns)), laneGroup));
      for (int64_t element = 0; element < 2; ++element)
        memref::StoreOp::create(builder, get(right, stepOf(element * 4), number), rights,
                                ValueRange{j, index(element)});
    });
    loop(index(0), index(down), 1, down, [&](Value i) {
      loop(index(0), index(across), 1, across, [&](Value j) {
        Values operands = {partOf(builder, location, sums, {i, j, index(0)}, 4),
                           partOf(builder, location, lefts, {i, index(0)}, 4),
                           partOf(builder, location, rights, {j, index(0)}, 2)};
        auto function =
            helper(builder, location, "fw_mma_tf32", ValueRange(operands).getTypes(), {});
        func::CallOp::create(builder, function, operands);
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
      Value sum = memref::LoadOp::create(writer.builder, sumsOf[product.op], placeOf(i, j));
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
