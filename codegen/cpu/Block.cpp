// A block of rows by vectors: its contractions, row statistics and stores.
#include "codegen/cpu/Nest.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace formwork {

/// Multiply-adds that a k-loop's body has when it is unrolled.
static constexpr int64_t unrolledWork = 64;
/// A window of so many elements (3x3, 4x4) is written out.
static constexpr int64_t unrolledWindow = 16;

/// Each row of the block in its turn; `comment` is what readers of printed source see above.
void Nest::forRows(const Block &block, llvm::function_ref<void(Value row)> body,
                   StringRef comment) {
  if (block.rows == 1)
    body({});
  else
    writer.rows(block.firstRow, block.rows, body, comment);
}

void Nest::forPoints(const Block &block, llvm::function_ref<void(const Point &)> body,
                     StringRef comment) {
  auto columns = [&](Value row) {
    for (int64_t vector = 0; vector < block.vectors && !evaluator.failed(); ++vector)
      body(point(block, row, vector));
  };
  forRows(block, columns, comment);
}

Point Nest::point(const Block &block, Value row, int64_t vector) const {
  Point point;
  point.at = block.at;
  point.vectorDim = block.vectorDim;
  point.lanes = block.vectorDim == noDim ? 1 : group.lanes;
  point.row = row;
  point.vector = vector;
  point.place = block.place;
  if (row)
    point.at[group.rowDim] = writer.add(block.at[group.rowDim], row);
  if (block.vectorDim != noDim) {
    point.at[block.vectorDim] = writer.add(block.at[block.vectorDim], vector * group.lanes);
    if (vector + 1 == block.vectors)
      point.mask = block.mask;
  }
  return point;
}

/// An array [rows][width] of registers.
Value Nest::registers(StringRef name, int64_t rows, int64_t width, Type type) {
  auto array = memref::AllocaOp::create(writer.builder, MemRefType::get({rows, width}, type));
  array->setDiscardableAttr(nameAttr, writer.builder.getStringAttr(name));
  return array;
}

/// What a value of that element type is at a point of a block.
Type Nest::typeIn(const Block &block, Type element) const {
  bool isVector = block.vectorDim != noDim && group.lanes > 1;
  return isVector ? Type(vectorOf(group.lanes, element)) : element;
}

void Nest::writeBlock(const Pass &pass, const Block &block) {
  prefetchNextRow(pass, block);
  for (const ContractionGroup &contraction : pass.contractions)
    writeContractions(pass, contraction, block);
  updateStatistics(pass, block);
  Values stores;
  if (phase == InitialValues || phase == OneStep) {
    for (linalg::GenericOp op : pass.contractions.front().ops)
      llvm::append_range(stores, op->getResults());
  } else {
    llvm::copy_if(pass.stores, std::back_inserter(stores), [&](Value value) {
      return !llvm::is_contained(pass.statistics, value.getDefiningOp<linalg::GenericOp>());
    });
  }
  store(stores, block);
}

//===--- contractions ----------------------------------------------------------------------------

/// Where a sum rests between steps.
ArrayRef<Value> Nest::sumsOf(Value result) {
  if (!group.sumsRestInScratch)
    return ArrayRef(outputs.find(result)->second).take_front();
  Value &buffer = restingSums[result];
  if (!buffer) {
    auto type = cast<RankedTensorType>(result.getType());
    buffer = allocate(type.getShape(), type.getElementType());
  }
  return buffer;
}

/// What an accumulator begins with: the op's initial value, or the sum so far.
Value Nest::startOf(OpOperand &init, const Point &point) {
  if (phase == AllAtOnce || phase == InitialValues)
    return evaluator.read(init.get(), kernel.access(init), point);
  auto op = cast<linalg::GenericOp>(init.getOwner());
  OpResult result = op.getTiedOpResult(&init);
  return evaluator.load(sumsOf(result).front(), result.getType(), kernel.access(result), point);
}

static bool isSum(linalg::GenericOp op) { return isa_and_present<arith::AddFOp>(combinerOf(op)); }

/// How many indices of the outermost reduced dimension are summed before their sum is added to the
/// others: an error grows with the length of a chain of additions. 0 if all are one chain.
int64_t Nest::partSize(const ContractionGroup &contraction) const {
  constexpr int64_t longSum = 1024, part = 512;
  if (phase == OneStep || !llvm::all_of(contraction.ops, isSum))
    return 0;
  auto sizeOf = [&](Dim dim) { return kernel.isStatic(dim) ? kernel.size(dim) : 1; };
  int64_t products = 1;
  for (Dim inner : ArrayRef(contraction.over).drop_front())
    products *= sizeOf(inner);
  bool isLong = products * sizeOf(contraction.over.front()) > longSum;
  return isLong ? llvm::divideCeil(part, products) : 0;
}

Value Nest::zeroLike(OpOperand &init) {
  Type element = getElementTypeOrSelf(init.get().getType());
  return writer.make<arith::ConstantOp>(writer.builder.getZeroAttr(element));
}

/// Registers for the sums of a contraction, filled with what `start` yields for each.
Nest::Values Nest::beginSums(const ContractionGroup &contraction, const Block &block,
                             StringRef name,
                             llvm::function_ref<Value(OpOperand &, const Point &)> start) {
  Values sums;
  for (linalg::GenericOp op : contraction.ops)
    for (OpOperand &init : op.getDpsInitsMutable()) {
      Type element = getElementTypeOrSelf(init.get().getType());
      sums.push_back(registers(name, block.rows, block.vectors, typeIn(block, element)));
      forPoints(block, [&](const Point &at) {
        evaluator.store(sums.back(), evaluator.spread(start(init, at), at), at);
      });
    }
  return sums;
}

/// Of a contraction whose ops are sums: adds to the i-th sum what `other` yields for i.
void Nest::addToSums(const ContractionGroup &contraction, const Block &block, ArrayRef<Value> sums,
                     llvm::function_ref<Value(size_t i, const Point &)> other) {
  for (size_t i = 0; i < sums.size(); ++i)
    forPoints(block, [&](const Point &at) {
      Value both =
          evaluator.combine(combinerOf(contraction.ops[i]), evaluator.spread(other(i, at), at),
                            evaluator.load(sums[i], at));
      evaluator.store(sums[i], both, at);
    });
}

void Nest::writeContractions(const Pass &pass, const ContractionGroup &contraction,
                             const Block &block) {
  bool startsAtZero = phase == OneStep && llvm::all_of(contraction.ops, isSum);
  Values sums = beginSums(contraction, block, "sums", [&](OpOperand &init, const Point &at) {
    return startsAtZero ? zeroLike(init) : startOf(init, at);
  });
  if (evaluator.failed())
    return;
  const Dims &over = contraction.over;
  int64_t window = 1, count = block.rows * block.vectors * int64_t(sums.size());
  for (Dim dim : over)
    window *= kernel.isStatic(dim) ? group.sizeIn(kernel, dim) : unrolledWindow + 1;
  bool unrolled = window <= unrolledWindow && window * count <= 2 * unrolledWork;
  int64_t factor = llvm::bit_floor(uint64_t(std::clamp<int64_t>(unrolledWork / count, 1, 4)));
  clips = findClips(kernel, contraction);
  if (phase == AllAtOnce || phase == OneStep) {
    bool products = llvm::all_of(contraction.ops, isMultiplyAdd);
    std::string comment = llvm::formatv("Adds {0}to {1} by {2} vectors of sums.",
                                        products ? "products " : "", block.rows, block.vectors);
    if (phase == AllAtOnce && window > unrolledWindow)
      prefetchEpilogue(pass, block);
    if (int64_t size = partSize(contraction))
      reduceInParts(contraction, size, block, factor, sums, comment);
    else
      reduce(contraction, over, block, unrolled, factor, sums, comment);
  }
  if (startsAtZero)
    addToSums(contraction, block, sums, [&](size_t i, const Point &at) {
      linalg::GenericOp op = contraction.ops[i];
      return startOf(op.getDpsInitsMutable()[0], at);
    });
  ArrayRef<Value> left = sums;
  for (linalg::GenericOp op : contraction.ops)
    for (Value result : op->getResults()) {
      evaluator.setStorage(result, {Storage::Registers, left.front(), {}});
      left = left.drop_front();
    }
}

/// The indices of a reduced dimension that may be other than zeros. `within` are the loops inside,
/// of which nothing is known yet.
std::pair<Value, Value> Nest::rangeOf(Dim dim, ArrayRef<Dim> within, const Block &block) {
  auto [from, to] = wholeRange(dim);
  auto varies = [&](const Clip &clip) {
    return llvm::any_of(within, [&](Dim inner) { return clip.stepAlong(inner) != 0; }) ||
           (block.vectorDim != noDim && clip.stepAlong(block.vectorDim) != 0) ||
           (block.rows > 1 && clip.stepAlong(group.rowDim) != 0);
  };
  for (const Clip &clip : clips) {
    int64_t step = clip.stepAlong(dim);
    if ((step != 1 && step != -1) || varies(clip))
      continue;
    // from <= offset + step * k < to
    Value offset = writer.expression(clip.without(dim), block.at);
    auto until = [&](int64_t index) {
      Value bound = writer.index(index);
      return step == 1 ? writer.make<arith::SubIOp>(bound, offset)
                       : writer.add(writer.make<arith::SubIOp>(offset, bound), 1);
    };
    Value low = until(clip.from), high = clip.to ? until(*clip.to) : Value();
    if (step == -1)
      std::swap(low, high);
    if (low)
      from = writer.make<arith::MaxSIOp>(from, low);
    if (high)
      to = writer.minimum(to, writer.make<arith::MaxSIOp>(high, writer.index(0)));
  }
  return {from, to};
}

/// Where a window passes over the border of an image whose whole width are the block's rows: writes
/// each place in the window out, with the rows for which it is inside. False if that is not so.
bool Nest::reduceRowsInside(const ContractionGroup &contraction, ArrayRef<Dim> over, Block block,
                            int64_t factor, ArrayRef<Value> sums) {
  constexpr int64_t widest = 7;
  Dim dim = over.front();
  bool isWindow = kernel.isStatic(dim) && kernel.size(dim) <= widest;
  if (over.size() == 1 || block.rows == 1 || !isWindow || portionOf(dim) ||
      constantOf(block.at[group.rowDim]) != 0)
    return false;
  auto isOfRows = [&](const Clip &clip) {
    return clip.stepAlong(dim) != 0 && clip.stepAlong(group.rowDim) != 0 &&
           clip.atOrigin({dim, Dim(group.rowDim)});
  };
  auto clip = llvm::find_if(clips, isOfRows);
  if (clip == clips.end())
    return false;
  int64_t offset = *clip->atOrigin({dim, Dim(group.rowDim)});
  SmallVector<Range> inside;
  for (int64_t k = 0; k < kernel.size(dim); ++k)
    inside.push_back(clipped({0, block.rows}, *clip, offset + k * clip->stepAlong(dim),
                             clip->stepAlong(group.rowDim)));
  auto isWhole = [all = block.rows](Range rows) { return rows.to - rows.from == all; };
  if (llvm::all_of(inside, isWhole))
    return false;
  for (auto [k, rows] : llvm::enumerate(inside)) {
    if (rows.from == rows.to)
      continue;
    block.at[dim] = writer.index(k);
    block.firstRow = rows.from;
    block.rows = rows.to;
    std::string comment;
    if (!isWhole(rows))
      comment = llvm::formatv("Rows {0} to {1}: the others read what surrounds the image.",
                              rows.from, rows.to - 1);
    reduce(contraction, over.drop_front(), block, false, factor, sums, comment);
  }
  return true;
}

/// Sums of `size` indices of the outermost dimension each, which are added to `totals`.
void Nest::reduceInParts(const ContractionGroup &contraction, int64_t size, Block block,
                         int64_t factor, ArrayRef<Value> totals, std::string comment) {
  Dim dim = contraction.over.front();
  auto addPart = [&](Value index, ValueRange) {
    Values sums = beginSums(contraction, block, "part",
                            [&](OpOperand &init, const Point &) { return zeroLike(init); });
    part = Portion{dim, index, size};
    reduce(contraction, contraction.over, block, /*unrolled=*/false, factor, sums, comment);
    part.reset();
    addToSums(contraction, block, totals,
              [&](size_t i, const Point &at) { return evaluator.load(sums[i], at); });
    return Values();
  };
  auto [from, to] = wholeRange(dim);
  writer.loop(from, to, size, {}, addPart,
              {1, "part", "Long sums are added up in parts, which rounds less."});
}

/// Loops over what is reduced: a small window as a whole, else the innermost in steps of `factor`.
void Nest::reduce(const ContractionGroup &contraction, ArrayRef<Dim> over, Block block,
                  bool unrolled, int64_t factor, ArrayRef<Value> sums, std::string comment) {
  if (over.empty())
    return accumulate(contraction, block, sums);
  if (!unrolled && reduceRowsInside(contraction, over, block, factor, sums))
    return;
  Dim dim = over.front();
  int64_t together = unrolled ? kernel.size(dim) : over.size() == 1 ? factor : 1;
  auto step = [&](Value index, ValueRange) {
    block.at[dim] = index;
    reduce(contraction, over.drop_front(), block, unrolled, factor, sums, "");
    return Values();
  };
  // What is unrolled keeps a number of iterations that is known.
  if (unrolled || over.size() == 1) {
    StringRef name = over.size() == 1 ? "k" : "";
    auto [from, to] = wholeRange(dim);
    writer.loop(from, to, 1, {}, step, {together, name, comment});
    return;
  }
  auto [from, to] = rangeOf(dim, over.drop_front(), block);
  writer.loop(from, to, 1, {}, step, {1, "", comment});
}

void Nest::accumulate(const ContractionGroup &contraction, Block block, ArrayRef<Value> sums) {
  block.place = ++places;
  for (linalg::GenericOp op : contraction.ops) {
    ArrayRef<Value> own = sums.take_front(op->getNumResults());
    sums = sums.drop_front(op->getNumResults());
    forPoints(block, [&](const Point &at) {
      auto current = llvm::map_to_vector(own, [&](Value sum) { return evaluator.load(sum, at); });
      SmallVector<Value> next = evaluator.accumulate(op, at, current);
      for (auto [sum, value] : llvm::zip_equal(own, next))
        evaluator.store(sum, evaluator.spread(value, at), at);
    });
  }
}

//===--- row statistics --------------------------------------------------------------------------

/// Accumulators per row: one per vector of a full block, so that additions overlap.
void Nest::startStatistics(const Pass &pass, const Block &tile) {
  statistics.clear();
  for (linalg::GenericOp op : pass.statistics) {
    Type element = getElementTypeOrSelf(op->getResult(0).getType());
    Type type = vectorOf(group.lanes, element);
    Value sums = registers("partial", tile.rows, group.vectors, type);
    statistics.push_back(sums);
    std::optional<TypedAttr> neutral = arith::getNeutralElement(combinerOf(op));
    assert(neutral && "what may be reordered has a neutral element");
    Value start =
        writer.make<arith::ConstantOp>(DenseElementsAttr::get(cast<VectorType>(type), *neutral));
    Block all = tile;
    all.vectors = group.vectors;
    forPoints(all, [&](const Point &at) { evaluator.store(sums, start, at); });
  }
}

void Nest::updateStatistics(const Pass &pass, const Block &block) {
  for (auto [op, sums] : llvm::zip_equal(pass.statistics, statistics))
    forPoints(block, [&](const Point &at) {
      Value sum = evaluator.load(sums, at);
      Value updated = evaluator.spread(evaluator.accumulate(op, at, sum).front(), at);
      if (at.mask && updated)
        updated = writer.make<arith::SelectOp>(at.mask, updated, sum);
      evaluator.store(sums, updated, at);
    });
}

/// Halves a vector until one lane is left: the tree is fixed by the width.
static Value combineLanes(Writer &writer, Evaluator &evaluator, Operation *combiner, Value vector) {
  int64_t lanes = cast<VectorType>(vector.getType()).getDimSize(0);
  for (int64_t half = lanes / 2; half >= 1; half /= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t lane = 0; lane < half; ++lane)
      low.push_back(lane), high.push_back(lane + half);
    Value a = writer.make<vector::ShuffleOp>(vector, vector, low);
    Value b = writer.make<vector::ShuffleOp>(vector, vector, high);
    vector = evaluator.combine(combiner, a, b);
  }
  return writer.make<vector::ExtractOp>(vector, int64_t(0));
}

/// The sum of a row's accumulators: a tree over vectors, then over lanes.
Value Nest::totalOf(Operation *combiner, Value sums, Block block, Value row) {
  Values partial;
  for (int64_t vector = 0; vector < group.vectors; ++vector)
    partial.push_back(evaluator.load(sums, point(block, row, vector)));
  for (size_t count = partial.size(); count > 1; count = (count + 1) / 2)
    for (size_t i = 0; i < count / 2; ++i)
      partial[i] = evaluator.combine(combiner, partial[i], partial[(count + 1) / 2 + i]);
  return combineLanes(writer, evaluator, combiner, partial.front());
}

void Nest::finishStatistics(const Pass &pass, const Block &tile) {
  for (auto [statistic, sums] : llvm::zip_equal(pass.statistics, statistics)) {
    linalg::GenericOp op = statistic;
    Operation *combiner = combinerOf(op);
    OpOperand &init = op.getDpsInitsMutable()[0];
    Block after = tile;
    after.place = ++places;
    Type element = getElementTypeOrSelf(op->getResult(0).getType());
    Value totals = registers("totals", after.rows, 1, typeIn(after, element));
    auto finish = [&](Value row) {
      Point at = point(after, row, 0);
      Value total = totalOf(combiner, sums, after, row);
      if (Value start = evaluator.read(init.get(), kernel.access(init), at))
        total = evaluator.combine(combiner, start, total);
      evaluator.store(totals, total, at);
    };
    forRows(after, finish, "One number for each row: a tree over its partial results.");
    evaluator.setStorage(op->getResult(0), {Storage::Registers, totals, {}});
    if (llvm::is_contained(pass.stores, op->getResult(0)))
      store({op->getResult(0)}, after);
  }
}

//===--- stores ----------------------------------------------------------------------------------

/// Where a value is written: buffers of its shape, or scratch if there is none.
ArrayRef<Value> Nest::buffersOf(Value value) {
  if (phase == InitialValues || phase == OneStep)
    return sumsOf(value);
  auto found = outputs.find(value);
  return found == outputs.end() ? ArrayRef<Value>() : found->second;
}

/// Place by place, so that little is alive at a time. At each, all is read before anything is
/// written: outputs may be updated in place.
void Nest::store(ArrayRef<Value> values, const Block &block) {
  auto storeAt = [&](const Point &at) {
    Values elements;
    for (Value value : values)
      elements.push_back(evaluator.compute(cast<OpResult>(value), at));
    for (auto [value, element] : llvm::zip_equal(values, elements))
      write(cast<OpResult>(value), element, at);
  };
  forPoints(block, storeAt, "Results, a row at a time.");
}

void Nest::write(OpResult value, Value element, const Point &at) {
  AffineMap access = kernel.access(value);
  // What is the same along vectors is written once.
  if (at.vector > 0 && !dependsOn(access, at.vectorDim))
    return;
  ArrayRef<Value> buffers = buffersOf(value);
  if (buffers.empty())
    evaluator.write(scratchOf(value, at.vectorDim), access, element, at);
  for (Value buffer : buffers)
    evaluator.write({Storage::Buffer, buffer, {}}, access, element, at);
}

/// A buffer for one tile of a value between two passes, written in vectors along `vectorDim`.
Storage &Nest::scratchOf(Value value, int vectorDim) {
  Storage &storage = scratch[value];
  if (storage.buffer)
    return storage;
  AffineMap access = kernel.access(cast<OpResult>(value));
  storage.kind = Storage::Scratch;
  for (AffineExpr index : access.getResults())
    if (auto dim = dyn_cast<AffineDimExpr>(index)) // else of size one
      storage.dims.push_back(dim.getPosition());
  if (vectorDim != noDim && contains(storage.dims, vectorDim)) {
    llvm::erase(storage.dims, Dim(vectorDim));
    storage.dims.push_back(vectorDim);
  }
  SmallVector<int64_t> shape;
  for (Dim position : storage.dims) {
    if (int(position) == group.rowDim)
      shape.push_back(group.rows);
    else if (int(position) == group.vectorDim)
      shape.push_back(group.vectors * group.lanes);
    else if (contains(group.outer, position))
      shape.push_back(1);
    else
      shape.push_back(kernel.size(position));
  }
  // Vectors are stored whole.
  if (!shape.empty())
    shape.back() = llvm::alignTo(shape.back(), group.lanes);
  storage.buffer = allocate(shape, getElementTypeOrSelf(value.getType()));
  return storage;
}

/// What a pass stored is read from there by the passes after it.
void Nest::remember(const Pass &pass) {
  for (Value value : pass.stores) {
    bool inRegisters =
        llvm::is_contained(pass.statistics, value.getDefiningOp<linalg::GenericOp>());
    if (inRegisters)
      continue;
    auto found = outputs.find(value);
    evaluator.setStorage(value, found == outputs.end()
                                    ? scratch.lookup(value)
                                    : Storage{Storage::Buffer, found->second.front(), {}});
  }
}

} // namespace formwork
