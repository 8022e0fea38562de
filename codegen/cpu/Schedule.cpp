#include "codegen/cpu/Schedule.h"

#include "codegen/cpu/Blocking.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/IntEqClasses.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace formwork {

using OpSet = llvm::SetVector<Operation *>;

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
  /// A reduction, or the op of an output.
  struct Item {
    linalg::GenericOp op;
    OpSet behind; // reductions whose results it reads, through pointwise ops
  };

  void collect(Value value, OpSet &reductions);
  void findItems();
  SmallVector<SmallVector<unsigned>> connect();
  Dims outerOf(ArrayRef<unsigned> items);

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

/// The structured op behind a value, through reshapes.
static linalg::GenericOp producerOf(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (auto generic = dyn_cast<linalg::GenericOp>(op))
      return generic;
    if (!isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::ExtractSliceOp, tensor::PadOp,
             tensor::CastOp>(op))
      return {};
    value = op->getOperand(0);
  }
  return {};
}

/// Tensors that an op reads, in its operands or in its body.
static SmallVector<Value> readsOf(linalg::GenericOp op) {
  SmallVector<Value> values;
  for (OpOperand &operand : op->getOpOperands())
    if (op.payloadUsesValueFromOperand(&operand) || isReduction(op))
      values.push_back(operand.get());
  op->walk([&](tensor::ExtractOp extract) { values.push_back(extract.getTensor()); });
  return values;
}

void Scheduler::collect(Value value, OpSet &reductions) {
  linalg::GenericOp producer = producerOf(value);
  if (!producer)
    return;
  if (isReduction(producer)) {
    reductions.insert(producer);
    return;
  }
  for (Value read : readsOf(producer))
    collect(read, reductions);
}

void Scheduler::findItems() {
  llvm::SetVector<Operation *> needed;
  for (const Kernel::Output &output : kernel.getOutputs())
    needed.insert(output.value.getDefiningOp());
  for (size_t i = 0; i < needed.size(); ++i)
    for (Value read : readsOf(cast<linalg::GenericOp>(needed[i]))) {
      OpSet reductions;
      collect(read, reductions);
      needed.insert(reductions.begin(), reductions.end());
    }
  for (linalg::GenericOp op : kernel.getOps()) {
    if (!needed.contains(op))
      continue;
    Item item{op, {}};
    for (Value read : readsOf(op))
      collect(read, item.behind);
    items.push_back(std::move(item));
  }
}

Dims Scheduler::outerOf(ArrayRef<unsigned> members) {
  Dims outer = kernel.parallel(items[members.front()].op);
  for (unsigned member : members.drop_front()) {
    Dims parallel = kernel.parallel(items[member].op);
    llvm::erase_if(outer, [&](Dim dim) { return !contains(parallel, dim); });
  }
  return outer;
}

/// The dimension along which an op's result is contiguous.
static int writtenAlong(const Kernel &kernel, linalg::GenericOp op) {
  AffineMap written = kernel.access(cast<OpResult>(op->getResult(0)));
  for (Dim dim : kernel.parallel(op))
    if (stepOf(written, dim) == Step::Unit)
      return dim;
  return noDim;
}

/// Items that need each other, or that may share their chunks and vectors, are together.
SmallVector<SmallVector<unsigned>> Scheduler::connect() {
  llvm::IntEqClasses classes(items.size());
  for (auto [i, item] : llvm::enumerate(items))
    for (auto [j, other] : llvm::enumerate(items))
      if (item.behind.contains(other.op))
        classes.join(i, j);
  auto members = [&] {
    SmallVector<SmallVector<unsigned>> lists(items.size());
    for (unsigned i = 0; i < items.size(); ++i)
      lists[classes.findLeader(i)].push_back(i);
    llvm::erase_if(lists, [](auto &list) { return list.empty(); });
    return lists;
  };
  for (bool changed = true; changed;) {
    changed = false;
    SmallVector<SmallVector<unsigned>> lists = members();
    for (size_t a = 0; a < lists.size() && !changed; ++a)
      for (size_t b = a + 1; b < lists.size() && !changed; ++b) {
        SmallVector<unsigned> both = lists[a];
        llvm::append_range(both, lists[b]);
        size_t shared = outerOf(both).size();
        if (shared != outerOf(lists[a]).size() || shared != outerOf(lists[b]).size())
          continue;
        if (shared == 0 &&
            outerOf(lists[a]).size() + kernel.loops(items[lists[a][0]].op).size() > 0)
          continue;
        if (writtenAlong(kernel, items[lists[a].back()].op) !=
            writtenAlong(kernel, items[lists[b].back()].op))
          continue;
        classes.join(lists[a].front(), lists[b].front());
        changed = true;
      }
  }
  return members();
}

//===--- passes ----------------------------------------------------------------------------------

bool Scheduler::isStatistic(linalg::GenericOp op, const Group &group) {
  return isReduction(op) && group.vectorDim == noDim && combinerOf(op) &&
         without(kernel.parallel(op), group.outer).empty();
}

/// Inner dimensions in loop order: the one that its output is contiguous in comes last.
static Dims innerOrder(const Kernel &kernel, linalg::GenericOp op, Dims inner) {
  AffineMap written = kernel.access(cast<OpResult>(op->getResult(0)));
  for (Dim dim : inner)
    if (stepOf(written, dim) == Step::Unit) {
      llvm::erase(inner, dim);
      inner.push_back(dim);
      break;
    }
  return inner;
}

/// The dimensions that a statistic reduces: along the last, most inputs are contiguous.
static Dims statisticOrder(const Kernel &kernel, linalg::GenericOp op) {
  Dims dims = kernel.reduced(op);
  auto strided = [&](Dim dim) {
    return llvm::count_if(op.getDpsInputOperands(), [&](OpOperand *operand) {
      return stepOf(kernel.access(*operand), dim) == Step::Strided;
    });
  };
  Dim best = dims.back();
  for (Dim dim : dims)
    if (strided(dim) < strided(best))
      best = dim;
  llvm::erase(dims, best);
  dims.push_back(best);
  return dims;
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
                   ? statisticOrder(kernel, item.op)
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
  collect(value, item.behind);
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
    Dim along = statisticOrder(kernel, op).back();
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

LogicalResult Scheduler::buildGroup(ArrayRef<unsigned> members, Group &group) {
  group.outer = outerOf(members);
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
  return success();
}

FailureOr<Schedule> Scheduler::run() {
  findItems();
  Schedule schedule;
  for (ArrayRef<unsigned> members : connect())
    if (failed(buildGroup(members, schedule.groups.emplace_back())))
      return failure();
  return schedule;
}

FailureOr<Schedule> schedule(const Kernel &kernel, const CPUTarget &target) {
  return Scheduler(kernel, target).run();
}

} // namespace formwork
