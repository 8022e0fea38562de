// A block of rows by vectors: its contractions, row statistics and stores.
#include "codegen/cpu/Nest.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace formwork {

/// Multiply-adds that a k-loop's body has when it is unrolled.
static constexpr int64_t unrolledWork = 64;
/// A window of so many elements (3x3, 4x4) is written out.
static constexpr int64_t unrolledWindow = 16;

Point Nest::point(const Block &block, int64_t row, int64_t vector) const {
  Point point;
  point.at = block.at;
  point.vectorDim = block.vectorDim;
  point.lanes = block.vectorDim == noDim ? 1 : group.lanes;
  point.row = row;
  point.vector = vector;
  point.place = block.place;
  if (group.rowDim != noDim)
    point.at[group.rowDim] = writer.add(block.at[group.rowDim], row);
  if (block.vectorDim != noDim) {
    point.at[block.vectorDim] = writer.add(block.at[block.vectorDim], vector * group.lanes);
    if (vector + 1 == block.vectors)
      point.mask = block.mask;
  }
  return point;
}

Nest::Values Nest::writeBlock(const Pass &pass, const Block &block, ValueRange carried) {
  for (const ContractionGroup &contraction : pass.contractions)
    writeContractions(contraction, block);
  Values updated = updateStatistics(pass, block, carried);
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
  return updated;
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

/// Accumulators are held in the order op, result, row, vector.
void Nest::writeContractions(const ContractionGroup &contraction, const Block &block) {
  Values accumulators;
  for (linalg::GenericOp op : contraction.ops)
    for (OpOperand &init : op.getDpsInitsMutable())
      for (int64_t row = 0; row < block.rows; ++row)
        for (int64_t vector = 0; vector < block.vectors; ++vector) {
          Point at = point(block, row, vector);
          accumulators.push_back(evaluator.spread(startOf(init, at), at));
        }
  if (evaluator.failed())
    return;
  Dims over = phase == AllAtOnce ? contraction.over : without(contraction.over, Dim(group.stepDim));
  int64_t window = 1;
  for (Dim dim : over)
    window *= kernel.isStatic(dim) ? kernel.size(dim) : unrolledWindow + 1;
  bool unrolled =
      window <= unrolledWindow && window * int64_t(accumulators.size()) <= 2 * unrolledWork;
  bool reduces = phase == AllAtOnce || phase == OneStep;
  Values results =
      reduces ? reduce(contraction, over, block, unrolled, accumulators) : accumulators;
  ArrayRef<Value> left = results;
  for (linalg::GenericOp op : contraction.ops)
    for (Value result : op->getResults()) {
      size_t count = block.rows * block.vectors;
      evaluator.setStorage(
          result,
          {Storage::Registers, {}, {}, Values(left.take_front(count)), unsigned(block.vectors)});
      left = left.drop_front(count);
    }
}

Nest::Values Nest::reduce(const ContractionGroup &contraction, ArrayRef<Dim> over, Block block,
                          bool unrolled, ValueRange carried) {
  if (over.empty())
    return accumulate(contraction, block, carried);
  if (over.size() == 1)
    return reduceInnermost(contraction, over.front(), block, unrolled, carried);
  auto step = [&](Value index, ValueRange values) {
    block.at[over.front()] = index;
    return reduce(contraction, over.drop_front(), block, unrolled, values);
  };
  if (!unrolled)
    return writer.loop(writer.index(0), evaluator.extent(over.front()), 1, carried, step);
  Values values(carried);
  for (int64_t i = 0; i < kernel.size(over.front()); ++i)
    values = step(writer.index(i), values);
  return values;
}

Nest::Values Nest::reduceInnermost(const ContractionGroup &contraction, Dim dim, Block block,
                                   bool unrolled, ValueRange carried) {
  auto steps = [&](Value index, int64_t count, ValueRange start) {
    Values values(start);
    for (int64_t i = 0; i < count && !evaluator.failed(); ++i) {
      block.at[dim] = writer.add(index, i);
      values = accumulate(contraction, block, values);
    }
    return values;
  };
  if (unrolled)
    return steps(writer.index(0), kernel.size(dim), carried);
  int64_t factor =
      llvm::bit_floor(uint64_t(std::clamp<int64_t>(unrolledWork / int64_t(carried.size()), 1, 4)));
  Value end = evaluator.extent(dim);
  Value whole =
      writer.make<arith::SubIOp>(end, writer.make<arith::RemUIOp>(end, writer.index(factor)));
  Values values = writer.loop(writer.index(0), whole, factor, carried,
                              [&](Value at, ValueRange inner) { return steps(at, factor, inner); });
  if (kernel.isStatic(dim))
    return steps(whole, kernel.size(dim) % factor, values);
  return writer.loop(whole, end, 1, values,
                     [&](Value at, ValueRange inner) { return steps(at, 1, inner); });
}

Nest::Values Nest::accumulate(const ContractionGroup &contraction, Block block,
                              ValueRange carried) {
  block.place = ++places;
  Values next(carried);
  int64_t first = 0, count = block.rows * block.vectors;
  for (linalg::GenericOp op : contraction.ops) {
    for (int64_t i = 0; i < count && !evaluator.failed(); ++i) {
      Point at = point(block, i / block.vectors, i % block.vectors);
      Values own;
      for (unsigned result = 0; result < op->getNumResults(); ++result)
        own.push_back(carried[first + result * count + i]);
      for (auto [result, value] : llvm::enumerate(evaluator.accumulate(op, at, own)))
        next[first + result * count + i] = evaluator.spread(value, at);
    }
    first += op->getNumResults() * count;
  }
  return next;
}

//===--- row statistics --------------------------------------------------------------------------

/// Accumulators per row: one per vector of a full block, so that additions overlap.
int64_t Nest::statisticWidth(const Pass &pass) const { return group.vectors; }

Nest::Values Nest::startStatistics(const Pass &pass, const Block &tile) {
  Values accumulators;
  for (linalg::GenericOp op : pass.statistics) {
    std::optional<TypedAttr> neutral = arith::getNeutralElement(combinerOf(op));
    Type element = getElementTypeOrSelf(op->getResult(0).getType());
    VectorType type = vectorOf(group.lanes, element);
    Value start =
        neutral ? writer.make<arith::ConstantOp>(DenseElementsAttr::get(type, *neutral)) : Value();
    accumulators.append(tile.rows * statisticWidth(pass), start);
  }
  return accumulators;
}

Nest::Values Nest::updateStatistics(const Pass &pass, const Block &block, ValueRange carried) {
  Values next(carried);
  int64_t width = statisticWidth(pass), first = 0;
  for (linalg::GenericOp op : pass.statistics) {
    for (int64_t i = 0; i < block.rows * block.vectors && !evaluator.failed(); ++i) {
      Point at = point(block, i / block.vectors, i % block.vectors);
      Value &accumulator = next[first + at.row * width + at.vector];
      Value updated = evaluator.spread(evaluator.accumulate(op, at, accumulator).front(), at);
      if (at.mask && updated)
        updated = writer.make<arith::SelectOp>(at.mask, updated, accumulator);
      accumulator = updated;
    }
    first += block.rows * width;
  }
  return next;
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

void Nest::finishStatistics(const Pass &pass, const Block &tile, ValueRange carried) {
  int64_t width = statisticWidth(pass), first = 0;
  for (linalg::GenericOp op : pass.statistics) {
    Operation *combiner = combinerOf(op);
    OpOperand &init = op.getDpsInitsMutable()[0];
    Values rows;
    Block after = tile;
    after.place = ++places;
    for (int64_t row = 0; row < tile.rows; ++row) {
      Values partial(carried.slice(first + row * width, width));
      for (size_t count = partial.size(); count > 1; count = (count + 1) / 2)
        for (size_t i = 0; i < count / 2; ++i)
          partial[i] = evaluator.combine(combiner, partial[i], partial[(count + 1) / 2 + i]);
      Value total = combineLanes(writer, evaluator, combiner, partial.front());
      Value start = evaluator.read(init.get(), kernel.access(init), point(after, row, 0));
      rows.push_back(start ? evaluator.combine(combiner, start, total) : total);
    }
    evaluator.setStorage(op->getResult(0), {Storage::Registers, {}, {}, rows, 1});
    first += tile.rows * width;
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
  for (int64_t row = 0; row < block.rows; ++row)
    for (int64_t vector = 0; vector < block.vectors && !evaluator.failed(); ++vector) {
      Point at = point(block, row, vector);
      Values elements;
      for (Value value : values)
        elements.push_back(evaluator.compute(cast<OpResult>(value), at));
      for (auto [value, element] : llvm::zip_equal(values, elements))
        write(cast<OpResult>(value), element, at);
    }
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
    evaluator.write({Storage::Buffer, buffer, {}, {}, 1}, access, element, at);
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
                                    : Storage{Storage::Buffer, found->second.front(), {}, {}, 1});
  }
}

} // namespace formwork
