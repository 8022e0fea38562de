// Teams of threads, one for each point of the outer dimensions.
//
// A team beyond the last point computes that point again and writes nothing, so that all threads of
// a block meet at its barriers.
#include "codegen/cuda/Team.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace formwork::cuda {

static constexpr int64_t warp = 32;
/// Iterations of a sum at once.
static constexpr int64_t unrolled = 4;

Value TeamWriter::blocks() { return ceilDivide(total(group.outer), pointsPerBlock()); }

void TeamWriter::write(Value block) {
  evaluator.enter(group);
  int64_t team = group.teams.threads, points = pointsPerBlock();
  bool adjacent = group.teams.adjacent;
  point = adjacent ? divide(state.thread, team) : remainder(state.thread, points);
  member = team == 1  ? index(0)
           : adjacent ? remainder(state.thread, team)
                      : divide(state.thread, points);
  Value count = total(group.outer);
  Value number = writer.add(writer.mul(block, index(points)), point);
  auto known = constantOf(count);
  if (!known || *known % points != 0) {
    active = less(number, count);
    number = writer.minimum(number, writer.add(count, -1));
  }
  Values at(kernel.dimCount());
  setIndices(at, group.outer, number);
  auto body = [&] {
    for (const TeamStep &step : group.teams.steps) {
      if (evaluator.failed())
        return;
      if (step.kind == TeamStep::Statistics)
        writeStatistics(step, at);
      else
        writePass(step, at);
    }
  };
  if (team > 1)
    return body();
  // Nobody waits for a thread that has nothing to do.
  Value own = std::exchange(active, {});
  onlyIf(own, body);
}

//===--- statistics ------------------------------------------------------------------------------

void TeamWriter::writeStatistics(const TeamStep &step, const Values &at) {
  bool shared = group.teams.threads > 1 &&
                llvm::all_of(step.ops, [](linalg::GenericOp op) { return combinerOf(op); });
  Values sums = sumShare(step, at, shared);
  if (evaluator.failed())
    return;
  ArrayRef<Value> left = sums;
  for (linalg::GenericOp op : step.ops) {
    Values results(left.take_front(op->getNumResults()));
    left = left.drop_front(results.size());
    if (shared) {
      Operation *combiner = combinerOf(op);
      Value start = initialValues(op, at).front();
      results = {evaluator.combine(combiner, start, combineTeam(combiner, results.front()))};
    }
    for (auto [result, value] : llvm::zip_equal(op->getResults(), results))
      evaluator.setStorage(result, {Storage::Element, value, {}});
    available.insert(op);
  }
  Values outputs;
  for (linalg::GenericOp op : step.ops)
    llvm::copy_if(op->getResults(), std::back_inserter(outputs),
                  [&](Value result) { return kernel.isOutput(result); });
  if (outputs.empty())
    return;
  Value first = group.teams.threads == 1
                    ? Value()
                    : writer.make<arith::CmpIOp>(arith::CmpIPredicate::eq, member, index(0));
  onlyIf(both(active, first), [&] { store(outputs, at); });
}

/// What this thread sums: its share, from neutral elements; or all of it, in order.
Values TeamWriter::sumShare(const TeamStep &step, const Values &at, bool shared) {
  Values start;
  for (linalg::GenericOp op : step.ops) {
    if (!shared) {
      llvm::append_range(start, initialValues(op, at));
      continue;
    }
    std::optional<TypedAttr> neutral = arith::getNeutralElement(combinerOf(op));
    start.push_back(writer.make<arith::ConstantOp>(*neutral));
  }
  return sumStrided(step.ops, step.dims, at, start, shared);
}

Values TeamWriter::sumStrided(ArrayRef<linalg::GenericOp> ops, ArrayRef<Dim> dims, Values at,
                              ValueRange carried, bool shared) {
  auto body = [&](ValueRange sums) {
    Values next;
    for (linalg::GenericOp op : ops) {
      llvm::append_range(next, accumulate(op, at, sums.take_front(op->getNumResults())));
      sums = sums.drop_front(op->getNumResults());
    }
    return next;
  };
  if (dims.empty())
    return body(carried);
  Dim dim = dims.front();
  bool few = kernel.isStatic(dims.back()) && kernel.size(dims.back()) < group.teams.threads;
  if (shared && dims.size() > 1 && few) {
    // The last dimension does not occupy a team: all of them, as one.
    auto step = [&](Value number, ValueRange sums) {
      setIndices(at, dims, number);
      return body(sums);
    };
    return writer.loop(member, total(dims), group.teams.threads, carried, step, unrolled);
  }
  bool strided = shared && dims.size() == 1;
  auto step = [&](Value index, ValueRange sums) {
    at[dim] = index;
    return sumStrided(ops, dims.drop_front(), at, sums, shared);
  };
  return writer.loop(strided ? member : index(0), evaluator.extent(dim),
                     strided ? group.teams.threads : 1, carried, step,
                     dims.size() == 1 ? unrolled : 1);
}

/// The team's total, for each of its threads.
Value TeamWriter::combineTeam(Operation *combiner, Value partial) {
  int64_t team = group.teams.threads, points = pointsPerBlock();
  if (!group.teams.adjacent)
    return throughMemory(combiner, partial, state.thread, point, team, points, state.threads);
  partial = combineWarp(combiner, partial);
  if (team <= warp)
    return partial;
  int64_t warps = team / warp;
  return throughMemory(combiner, partial, divide(state.thread, warp),
                       writer.mul(point, index(warps)), warps, 1, state.threads / warp);
}

/// Halves what is left in each step: the tree is fixed by the team's size.
Value TeamWriter::combineWarp(Operation *combiner, Value partial) {
  Type type = partial.getType(), i32 = writer.builder.getI32Type();
  bool narrow = type.isInteger() && type.getIntOrFloatBitWidth() < 32;
  for (int64_t distance = std::min(group.teams.threads, warp) / 2; distance > 0; distance /= 2) {
    Value given = narrow ? writer.make<arith::ExtUIOp>(i32, partial) : partial;
    Value other = gpu::ShuffleOp::create(writer.builder, given, int32_t(distance), int32_t(warp),
                                         gpu::ShuffleMode::XOR)
                      .getShuffleResult();
    if (narrow)
      other = writer.make<arith::TruncIOp>(type, other);
    partial = evaluator.combine(combiner, partial, other);
  }
  return partial;
}

/// Every partial sum to shared memory; each thread combines those of its team, in order.
Value TeamWriter::throughMemory(Operation *combiner, Value partial, Value slot, Value first,
                                int64_t count, int64_t stride, int64_t slots) {
  Type element = partial.getType();
  Value memory = sharedArray(element, slots);
  Storage storage{Storage::Buffer, memory, {}};
  // What was there before has been read by all.
  barrier();
  Value stored = element.isInteger(1)
                     ? writer.make<arith::ExtUIOp>(evaluator.memoryType(element), partial)
                     : partial;
  memref::StoreOp::create(writer.builder, stored, memory, slot);
  barrier();
  auto read = [&](Value number) -> Value {
    Value at = writer.add(first, writer.mul(number, index(stride)));
    Value value = memref::LoadOp::create(writer.builder, memory, at);
    return element.isInteger(1) ? writer.make<arith::TruncIOp>(element, value) : value;
  };
  auto add = [&](Value number, ValueRange sums) {
    return Values{evaluator.combine(combiner, sums.front(), read(number))};
  };
  return writer.loop(index(1), index(count), 1, read(index(0)), add, count).front();
}

//===--- passes ----------------------------------------------------------------------------------

void TeamWriter::writePass(const TeamStep &step, const Values &at) {
  int64_t team = group.teams.threads;
  Values results;
  SmallVector<linalg::GenericOp> kept;
  for (linalg::GenericOp op : step.ops) {
    if (group.kept.contains(op)) {
      kept.push_back(op);
      for (OpResult result : op->getResults())
        scratch[result] = storageFor(result);
    }
    llvm::copy_if(op->getResults(), std::back_inserter(results),
                  [&](Value result) { return kernel.isOutput(result); });
  }
  auto element = [&](Values place) {
    for (linalg::GenericOp op : step.ops) {
      reduceBehind(op, place);
      if (!isReduction(op))
        continue;
      for (auto [result, value] : llvm::zip(op->getResults(), reduce(op, place)))
        evaluator.setStorage(result, {Storage::Element, value, {}});
    }
    if (evaluator.failed())
      return;
    for (linalg::GenericOp op : kept)
      keep(op, place);
    store(results, place);
  };
  if (step.dims.empty()) {
    Value first = team == 1
                      ? Value()
                      : writer.make<arith::CmpIOp>(arith::CmpIPredicate::eq, member, index(0));
    onlyIf(both(active, first), [&] { element(at); });
  } else {
    Value count = total(step.dims);
    onlyIf(active, [&] {
      loop(member, count, team, 1, [&](Value number) {
        Values place = at;
        setIndices(place, step.dims, number);
        element(place);
      });
    });
  }
  // What lies in memory now is read from there by the steps that follow.
  for (linalg::GenericOp op : step.ops)
    for (Value result : op->getResults()) {
      if (auto output = state.outputs.find(result); output != state.outputs.end())
        evaluator.setStorage(result, {Storage::Buffer, output->second.front(), {}});
      available.insert(op);
    }
  for (linalg::GenericOp op : kept)
    for (Value result : op->getResults())
      evaluator.setStorage(result, scratch.lookup(result));
  if (team > 1)
    barrier();
}

/// The team's part of shared memory for what is kept of a result.
Storage TeamWriter::storageFor(OpResult result) {
  Storage storage;
  storage.kind = Storage::Scratch;
  SmallVector<int64_t> shape = {pointsPerBlock()};
  for (AffineExpr index : kernel.access(result).getResults())
    if (auto dim = dyn_cast<AffineDimExpr>(index);
        dim && !contains(group.outer, dim.getPosition())) {
      storage.dims.push_back(dim.getPosition());
      shape.push_back(kernel.size(dim.getPosition()));
    }
  Value memory = newSharedArray(shape, getElementTypeOrSelf(result.getType()));
  auto &builder = writer.builder;
  SmallVector<OpFoldResult> offsets(shape.size(), builder.getIndexAttr(0)), sizes,
      strides(shape.size(), builder.getIndexAttr(1));
  offsets.front() = getAsOpFoldResult(point);
  for (int64_t size : shape)
    sizes.push_back(builder.getIndexAttr(size));
  sizes.front() = builder.getIndexAttr(1);
  auto type = memref::SubViewOp::inferRankReducedResultType(
      ArrayRef(shape).drop_front(), cast<MemRefType>(memory.getType()), offsets, sizes, strides);
  storage.buffer =
      memref::SubViewOp::create(builder, cast<MemRefType>(type), memory, offsets, sizes, strides);
  return storage;
}

/// What was computed at this place, to shared memory.
void TeamWriter::keep(linalg::GenericOp op, const Values &at) {
  Point place = pointAt(at);
  for (OpResult result : op->getResults())
    evaluator.write(scratch.lookup(result), kernel.access(result), evaluator.compute(result, place),
                    place);
}

} // namespace formwork::cuda
