#include "codegen/cpu/Schedule.h"

#include "codegen/cpu/Blocking.h"
#include "codegen/kernel/Items.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace formwork {

/// Ops that take many times longer than an addition.
static bool isExpensive(linalg::GenericOp op) {
  auto result = op->walk([](Operation *inner) {
    bool cheap = !isa<math::MathDialect>(inner->getDialect()) ||
                 isa<math::AbsFOp, math::FloorOp, math::CopySignOp, math::FmaOp>(inner);
    return cheap ? WalkResult::advance() : WalkResult::interrupt();
  });
  return result.wasInterrupted();
}

//===--- groups ----------------------------------------------------------------------------------

namespace {
/// Reductions and outputs of a kernel, and what they need of each other.
class Scheduler {
public:
  Scheduler(const Kernel &kernel, const CPUTarget &target) : kernel(kernel), target(target) {}
  FailureOr<Schedule> run();

private:
  LogicalResult buildGroup(ArrayRef<unsigned> items, Group &group);
  bool statisticsAreBetter(ArrayRef<unsigned> items, const Group &group);
  LogicalResult place(Item &item, Group &group);
  unsigned earliestPass(const Item &item, const Group &group, ArrayRef<Dim> inner);
  LogicalResult keep(Value value, unsigned pass, Group &group);
  LogicalResult keepOperands(linalg::GenericOp op, unsigned pass, Group &group);
  bool fitsScratch(ArrayRef<Dim> dims, const Group &group);
  bool isPacked(OpOperand &operand, const Group &group);
  bool isStatistic(linalg::GenericOp op, const Group &group);

  const Kernel &kernel;
  const CPUTarget &target;
  std::vector<Item> items;
  DenseMap<Operation *, unsigned> passOf; // of reductions
  /// Where a value is written, if it is.
  DenseMap<Value, unsigned> storedIn;
};
} // namespace

//===--- passes ----------------------------------------------------------------------------------

bool Scheduler::isStatistic(linalg::GenericOp op, const Group &group) {
  return isReduction(op) && group.vectorDim == noDim && combinerOf(op) &&
         without(kernel.parallel(op), group.outer).empty();
}

unsigned Scheduler::earliestPass(const Item &item, const Group &group, ArrayRef<Dim> inner) {
  unsigned earliest = 0;
  for (Operation *op : item.behind) {
    auto reduction = cast<linalg::GenericOp>(op);
    unsigned pass = passOf.lookup(op);
    bool here = !isStatistic(reduction, group) && ArrayRef(group.passes[pass].inner) == inner;
    earliest = std::max(earliest, here ? pass : pass + 1);
  }
  return earliest;
}

LogicalResult Scheduler::place(Item &item, Group &group) {
  bool statistic = isStatistic(item.op, group);
  Dims inner = statistic
                   ? reducedOrder(kernel, item.op)
                   : innerOrder(kernel, item.op, without(kernel.parallel(item.op), group.outer));
  unsigned index = earliestPass(item, group, inner);
  while (index < group.passes.size() && group.passes[index].inner != inner)
    ++index;
  if (index == group.passes.size())
    group.passes.emplace_back().inner = inner;
  if (failed(keepOperands(item.op, index, group)))
    return failure();

  Pass &pass = group.passes[index];
  if (isReduction(item.op))
    passOf[item.op] = index;
  if (statistic) {
    pass.statistics.push_back(item.op);
  } else if (isReduction(item.op)) {
    Dims over = kernel.reduced(item.op);
    bool joins = !pass.contractions.empty() && pass.contractions.back().over == over &&
                 llvm::none_of(pass.contractions.back().ops,
                               [&](linalg::GenericOp op) { return item.behind.contains(op); });
    if (!joins)
      pass.contractions.push_back({{}, over});
    pass.contractions.back().ops.push_back(item.op);
  }
  for (Value result : item.op->getResults())
    if (kernel.isOutput(result) && !storedIn.contains(result)) {
      // A statistic's result is stored when its pass is over.
      pass.stores.push_back(result);
      storedIn[result] = index;
    }
  return success();
}

LogicalResult Scheduler::keepOperands(linalg::GenericOp op, unsigned pass, Group &group) {
  for (Value read : readsOf(op))
    if (failed(keep(read, pass, group)))
      return failure();
  return success();
}

/// What a thread may hold of one value between two passes, in bytes.
static constexpr int64_t scratchLimit = 256 << 10;

bool Scheduler::fitsScratch(ArrayRef<Dim> dims, const Group &group) {
  int64_t elements = 16;
  for (Dim dim : dims) {
    if (!kernel.isStatic(dim))
      return false;
    elements *= kernel.size(dim);
  }
  return elements * 8 <= scratchLimit;
}

/// Sees to it that `value` can be had in a later pass than the one it was computed in.
LogicalResult Scheduler::keep(Value value, unsigned pass, Group &group) {
  linalg::GenericOp producer = producerOf(value);
  if (!producer || storedIn.contains(value))
    return success();
  Dims inner = innerOrder(kernel, producer, without(kernel.parallel(producer), group.outer));
  auto store = [&](unsigned at) {
    group.passes[at].stores.push_back(value);
    storedIn[value] = at;
  };
  if (isReduction(producer)) {
    unsigned computed = passOf.lookup(producer);
    bool inRegisters = computed == pass || isStatistic(producer, group) ||
                       (group.vectorDim != noDim && inner.empty());
    if (inRegisters)
      return success();
    if (!fitsScratch(inner, group))
      return producer->emitError() << "no schedule: its result is read in a later pass of the "
                                      "same kernel and has no static bound";
    store(computed);
    return success();
  }
  Item item{producer, {}};
  collectReductions(value, item.behind);
  unsigned first = earliestPass(item, group, inner);
  while (first < pass && group.passes[first].inner != inner)
    ++first;
  bool accumulated = llvm::any_of(
      item.behind, [&](Operation *op) { return !isStatistic(cast<linalg::GenericOp>(op), group); });
  if (first < pass && (accumulated || isExpensive(producer)) && fitsScratch(inner, group)) {
    store(first);
    return success();
  }
  return keepOperands(producer, pass, group);
}

//===--- the vector dimension --------------------------------------------------------------------

/// Whether an operand has fewer elements than the op has iterations, but for the vector dimension:
/// then a copy of it is read more than once.
static bool isReused(const Kernel &kernel, linalg::GenericOp op, AffineMap access) {
  return llvm::any_of(kernel.parallel(op), [&](Dim dim) {
    return !dependsOn(access, dim) && (!kernel.isStatic(dim) || kernel.size(dim) >= 4);
  });
}

/// Whether to vectorize along what is reduced rather than along the last outer dimension.
bool Scheduler::statisticsAreBetter(ArrayRef<unsigned> members, const Group &group) {
  int64_t strided = 0, unit = 0;
  bool narrow = kernel.isStatic(group.vectorDim) && kernel.size(group.vectorDim) * 4 <= group.lanes;
  for (unsigned member : members) {
    linalg::GenericOp op = items[member].op;
    if (!isReduction(op) || !without(kernel.parallel(op), group.outer).empty())
      continue;
    if (!combinerOf(op))
      return false;
    Dim along = reducedOrder(kernel, op).back();
    for (OpOperand *operand : op.getDpsInputOperands()) {
      AffineMap access = kernel.access(*operand);
      bool bad = stepOf(access, group.vectorDim) == Step::Strided;
      strided += bad && !isReused(kernel, op, access);
      unit += stepOf(access, along) == Step::Unit;
      strided -= stepOf(access, along) == Step::Strided;
    }
  }
  return unit > 0 && (strided > 0 || (narrow && strided >= 0));
}

/// Bits of an element as it lies along vectors: floats count, other types follow.
static int64_t laneBits(ArrayRef<linalg::GenericOp> ops) {
  int64_t floats = 0, others = 0;
  for (linalg::GenericOp op : ops)
    for (Value value : op->getOperands()) {
      Type type = getElementTypeOrSelf(value.getType());
      int64_t &widest = isa<FloatType>(type) ? floats : others;
      widest = std::max<int64_t>(widest, type.isIndex() ? 64 : type.getIntOrFloatBitWidth());
    }
  return floats ? floats : std::max<int64_t>(others, 8);
}

/// The dimension of short rows along which much is computed: the processor's own prefetching begins
/// anew with each of them, too late for what many instructions wait for.
static int prefetchDimOf(const Kernel &kernel, const Group &group,
                         ArrayRef<linalg::GenericOp> ops) {
  constexpr int64_t shortRow = 4 << 10;
  bool isPointwise = llvm::none_of(ops, isReduction) && group.vectorDim != noDim;
  if (!isPointwise || group.rowDim != noDim || group.outer.size() < 2 ||
      llvm::none_of(ops, isExpensive) || !kernel.isStatic(group.vectorDim) ||
      kernel.size(group.vectorDim) * laneBits(ops) / 8 > shortRow)
    return noDim;
  return without(group.outer, Dims{Dim(group.vectorDim)}).back();
}

LogicalResult Scheduler::buildGroup(ArrayRef<unsigned> members, Group &group) {
  group.outer = outerDims(kernel, items, members);
  SmallVector<linalg::GenericOp> ops;
  for (unsigned member : members)
    ops.push_back(items[member].op);
  group.lanes = target.vectorBytes * 8 / std::max<int64_t>(laneBits(kernel.getOps()), 8);

  // The last dimension of an output, if it is an outer one.
  AffineMap written = kernel.access(cast<OpResult>(ops.back()->getResult(0)));
  for (Dim dim : group.outer)
    if (stepOf(written, dim) == Step::Unit)
      group.vectorDim = dim;
  if (group.vectorDim != noDim && statisticsAreBetter(members, group))
    group.vectorDim = noDim;

  for (unsigned member : members)
    if (failed(place(items[member], group)))
      return failure();
  chooseBlock(kernel, target, group);
  group.prefetchDim = prefetchDimOf(kernel, group, ops);
  return success();
}

FailureOr<Schedule> Scheduler::run() {
  items = findItems(kernel);
  Schedule schedule;
  for (ArrayRef<unsigned> members : connectItems(kernel, items))
    if (failed(buildGroup(members, schedule.groups.emplace_back())))
      return failure();
  return schedule;
}

FailureOr<Schedule> schedule(const Kernel &kernel, const CPUTarget &target) {
  return Scheduler(kernel, target).run();
}

} // namespace formwork
