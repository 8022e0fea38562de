// Groups by kind, each with a space: loops that all ops of the group share, in which its parts are
// independent of each other.
//
//   contraction  one sum of products, then pointwise ops on its result (its epilogue), then a
//                pooling of small windows of that; or several reductions of the same windows, as of
//                their maxima and of where those are
//   reduction    one reduction, then pointwise ops on its result
//   rows         the space is rows: reductions along them, and pointwise ops on rows and elements
//   pointwise    the space is the elements
//
// A scalar's space is empty; scalars are grouped with each other alone. Merging two groups must not
// make a third both follow and precede them.
#include "passes/Groups.h"
#include "passes/LoopNests.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace formwork {

namespace {
/// A loop's size: a number, or the value it has on the host.
struct Extent {
  int64_t size = ShapedType::kDynamic;
  Value symbol;
  bool operator==(const Extent &other) const {
    if (!ShapedType::isDynamic(size))
      return size == other.size;
    return symbol && symbol == other.symbol;
  }
};
using Space = SmallVector<Extent>;

enum class Kind { Host, Other, Contraction, Reduction, Rows, Pointwise };

struct Group {
  Kind kind = Kind::Host;
  Space space;
  /// Elements of one row; 1 for other kinds.
  int64_t rowLength = 1;
  /// Numbers of the ops that belong to it; empty once merged into another.
  SmallVector<unsigned> ops;
  llvm::SetVector<unsigned> successors;

  /// One more dimension of `size` elements belongs to each row; unknown once a size is.
  void lengthenRows(int64_t size) {
    bool unknown = ShapedType::isDynamic(size) || ShapedType::isDynamic(rowLength);
    rowLength = unknown ? ShapedType::kDynamic : rowLength * size;
  }
};

class Grouping {
public:
  explicit Grouping(Block &block);
  void merge(bool pool);
  SmallVector<KernelGroup> result();

private:
  Group classify(Operation *op);
  void connect();
  size_t tensorsMoved(unsigned group, unsigned producer);
  bool computesFor(unsigned producer, unsigned consumer, size_t leading, bool anyOrder = false);
  bool reaches(unsigned from, unsigned to);
  bool mergeEdges(llvm::function_ref<std::optional<Group>(unsigned, unsigned)> rule);
  void mergeScalars();
  void unite(unsigned into, unsigned other, Group shape);

  std::optional<Group> epilogue(unsigned producer, unsigned consumer);
  std::optional<Group> windows(unsigned producer, unsigned consumer);
  std::optional<Group> pooling(unsigned producer, unsigned consumer);
  std::optional<Group> elements(unsigned producer, unsigned consumer);
  std::optional<Group> rows(unsigned producer, unsigned consumer);

  Block &block;
  std::vector<Operation *> ops;
  DenseMap<Operation *, unsigned> numbers;
  std::vector<unsigned> groupOf;
  std::vector<Group> groups;
};
} // namespace

//===--- single ops ------------------------------------------------------------------------------

/// Whether an op is there only to start another one off.
static bool startsOnly(Operation *op) {
  if (!isa<tensor::EmptyOp, linalg::FillOp>(op) || !op->hasOneUse())
    return false;
  auto user = dyn_cast<linalg::LinalgOp>(*op->getUsers().begin());
  return user && user->getBlock() == op->getBlock() && user.isDpsInit(&*op->use_begin());
}

/// The sizes of what `op` computes, from the tensor it starts from.
static Space extentsOf(Value value) {
  Space extents;
  auto type = cast<RankedTensorType>(value.getType());
  for (int64_t size : type.getShape())
    extents.push_back({size, {}});
  while (auto op = value.getDefiningOp<DestinationStyleOpInterface>())
    value = op.getTiedOpOperand(cast<OpResult>(value))->get();
  if (auto empty = value.getDefiningOp<tensor::EmptyOp>())
    for (int64_t i = 0; i < type.getRank(); ++i)
      if (type.isDynamicDim(i))
        extents[i].symbol = empty.getDynamicSize(i);
  return extents;
}

/// The sizes of the parallel loops of `op`, which its first result tells. Nothing if a loop is
/// missing there.
static std::optional<Space> parallelExtents(linalg::LinalgOp op) {
  OpOperand *initial = op.getDpsInitOperand(0);
  Space sizes = extentsOf(op->getResult(0));
  Space loops(op.getNumLoops());
  SmallVector<bool> known(op.getNumLoops());
  for (auto [index, extent] :
       llvm::zip_equal(op.getMatchingIndexingMap(initial).getResults(), sizes))
    if (auto loop = dyn_cast<AffineDimExpr>(index)) {
      loops[loop.getPosition()] = extent;
      known[loop.getPosition()] = true;
    }
  Space parallel;
  for (auto [i, kind] : llvm::enumerate(op.getIteratorTypesArray()))
    if (kind == utils::IteratorType::parallel) {
      if (!known[i])
        return std::nullopt;
      parallel.push_back(loops[i]);
    }
  return parallel;
}

/// How many of the first results of `map` are the first loops, in order.
static size_t leadingLoops(AffineMap map) {
  size_t count = 0;
  while (count < map.getNumResults() &&
         map.getResult(count) == getAffineDimExpr(count, map.getContext()))
    ++count;
  return count;
}

/// Whether all outputs are written at the first `loops` loops in order.
static bool writesInOrder(linalg::LinalgOp op, size_t loops) {
  return llvm::all_of(llvm::seq(op.getNumDpsInits()), [&](int64_t i) {
    return leadingLoops(op.getMatchingIndexingMap(op.getDpsInitOperand(i))) >= loops;
  });
}

Group Grouping::classify(Operation *op) {
  Group group;
  if (isa<tensor::PadOp>(op))
    group.kind = Kind::Other;
  auto linalg = dyn_cast<linalg::LinalgOp>(op);
  if (!linalg || startsOnly(op))
    return group;
  group.kind = Kind::Other;
  std::optional<Space> parallel = parallelExtents(linalg);
  if (!isa<linalg::GenericOp>(op) || !parallel || !writesInOrder(linalg, 0))
    return group;
  group.space = *parallel;
  auto loops = linalg.getIteratorTypesArray();
  size_t reductions = linalg.getNumReductionLoops();
  if (isPointwise(linalg)) {
    if (writesInOrder(linalg, loops.size()))
      group.kind = Kind::Pointwise;
    return group;
  }
  // Its result's order, which is the epilogue's.
  group.space = extentsOf(op->getResult(0));
  if (contracts(linalg)) {
    group.kind = Kind::Contraction;
    return group;
  }
  group.kind = Kind::Reduction;
  bool trailing = llvm::all_of(ArrayRef(loops).take_back(reductions),
                               [](auto loop) { return loop == utils::IteratorType::reduction; });
  if (!trailing || parallel->empty() || !writesInOrder(linalg, parallel->size()))
    return group;
  group.kind = Kind::Rows;
  group.space = *parallel;
  for (int64_t size : ArrayRef(linalg.getStaticLoopRanges()).take_back(reductions))
    group.lengthenRows(size);
  return group;
}

//===--- the graph -------------------------------------------------------------------------------

Grouping::Grouping(Block &block) : block(block) {
  for (Operation &op : block) {
    numbers[&op] = ops.size();
    groupOf.push_back(ops.size());
    ops.push_back(&op);
    groups.push_back(classify(&op));
    groups.back().ops = {numbers[&op]};
  }
  // What an op starts from belongs to it.
  for (Operation *op : llvm::reverse(ops))
    if (startsOnly(op)) {
      unsigned user = groupOf[numbers[*op->getUsers().begin()]];
      if (groups[user].kind != Kind::Host) {
        unsigned own = numbers[op];
        groupOf[own] = user;
        groups[own].ops.clear();
        groups[user].ops.push_back(own);
      }
    }
  connect();
}

void Grouping::connect() {
  for (auto [number, op] : llvm::enumerate(ops))
    op->walk([&, consumer = groupOf[number]](Operation *nested) {
      for (Value operand : nested->getOperands())
        if (Operation *definition = operand.getDefiningOp();
            definition && definition->getBlock() == &block)
          if (unsigned producer = groupOf[numbers[definition]]; producer != consumer)
            groups[producer].successors.insert(consumer);
    });
}

/// Whether `to` depends on `from` other than directly.
bool Grouping::reaches(unsigned from, unsigned to) {
  llvm::SmallDenseSet<unsigned, 32> visited;
  SmallVector<unsigned> open;
  for (unsigned next : groups[from].successors)
    if (next != to)
      open.push_back(next);
  while (!open.empty()) {
    unsigned group = open.pop_back_val();
    if (group == to)
      return true;
    if (visited.insert(group).second)
      llvm::append_range(open, groups[group].successors);
  }
  return false;
}

void Grouping::unite(unsigned into, unsigned other, Group shape) {
  Group &target = groups[into];
  target.kind = shape.kind;
  target.space = shape.space;
  target.rowLength = shape.rowLength;
  for (unsigned op : groups[other].ops)
    groupOf[op] = into;
  target.ops.append(groups[other].ops);
  target.successors.insert_range(groups[other].successors);
  target.successors.remove(into);
  target.successors.remove(other);
  groups[other] = {};
  for (Group &group : groups)
    if (group.successors.remove(other))
      if (&group != &target)
        group.successors.insert(into);
}

//===--- rules -----------------------------------------------------------------------------------

/// Whether each tensor that goes from one group to the other is written and read at the same
/// `leading` loops: nothing of another part of the space is needed. A contraction may have its
/// loops in any order; the space is then its result's.
bool Grouping::computesFor(unsigned producer, unsigned consumer, size_t leading, bool anyOrder) {
  for (unsigned number : groups[consumer].ops) {
    auto reader = dyn_cast<linalg::LinalgOp>(ops[number]);
    bool fits = true;
    ops[number]->walk([&](Operation *nested) {
      for (OpOperand &operand : nested->getOpOperands()) {
        Operation *definition = operand.get().getDefiningOp();
        if (!definition || definition->getBlock() != &block ||
            groupOf[numbers[definition]] != producer)
          continue;
        auto writer = dyn_cast<linalg::LinalgOp>(definition);
        if (nested != ops[number] || !reader || !writer || !reader.isDpsInput(&operand)) {
          fits = false;
          continue;
        }
        AffineMap written = writer.getIndexingMapMatchingResult(cast<OpResult>(operand.get()));
        fits &= leadingLoops(reader.getMatchingIndexingMap(&operand)) >= leading &&
                (anyOrder || leadingLoops(written) >= leading);
      }
    });
    if (!fits)
      return false;
  }
  return true;
}

/// Tensors as large as the group's space that it reads or writes beside what `producer` computes.
size_t Grouping::tensorsMoved(unsigned group, unsigned producer) {
  llvm::SmallPtrSet<Value, 8> moved;
  auto add = [&](Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (type && size_t(type.getRank()) == groups[group].space.size())
      moved.insert(value);
  };
  for (unsigned number : groups[group].ops)
    if (auto op = dyn_cast<linalg::LinalgOp>(ops[number])) {
      for (Value input : op.getDpsInputs()) {
        Operation *definition = input.getDefiningOp();
        if (!definition || !numbers.contains(definition) ||
            !llvm::is_contained({group, producer}, groupOf[numbers[definition]]))
          add(input);
      }
      llvm::for_each(op->getResults(), add);
    }
  return moved.size();
}

/// Pointwise ops on what a contraction or a reduction computes.
std::optional<Group> Grouping::epilogue(unsigned producer, unsigned consumer) {
  // Beyond that, writing and reading the one result more is little beside the rest, and the code of
  // each variant of a tile would grow: Adam's three updates run on their own.
  constexpr size_t mostTensors = 4;
  const Group &first = groups[producer], &second = groups[consumer];
  if ((first.kind != Kind::Contraction && first.kind != Kind::Reduction) ||
      second.kind != Kind::Pointwise || first.space != second.space)
    return std::nullopt;
  if (!computesFor(producer, consumer, first.space.size(), /*anyOrder=*/true) ||
      tensorsMoved(consumer, producer) > mostTensors)
    return std::nullopt;
  return first;
}

/// Whether both reduce the windows of one image, and so read the same elements.
static bool reduceSameWindows(linalg::LinalgOp a, linalg::LinalgOp b) {
  if (isPointwise(a) || isPointwise(b) || a.getStaticLoopRanges() != b.getStaticLoopRanges() ||
      a.getIteratorTypesArray() != b.getIteratorTypesArray())
    return false;
  return llvm::any_of(a.getDpsInputOperands(), [&](OpOperand *image) {
    return slidesOver(a, image) && llvm::any_of(b.getDpsInputOperands(), [&](OpOperand *other) {
             return other->get() == image->get() &&
                    a.getMatchingIndexingMap(image) == b.getMatchingIndexingMap(other);
           });
  });
}

/// A reduction of windows and another of the same that needs its result.
std::optional<Group> Grouping::windows(unsigned producer, unsigned consumer) {
  const Group &first = groups[producer], &second = groups[consumer];
  if (first.kind != Kind::Contraction || second.kind != Kind::Contraction ||
      first.space != second.space || !computesFor(producer, consumer, first.space.size()))
    return std::nullopt;
  auto reductions = [&](const Group &group) {
    SmallVector<linalg::LinalgOp> found;
    for (unsigned number : group.ops)
      if (auto op = dyn_cast<linalg::GenericOp>(ops[number]); op && op.getNumReductionLoops() > 0)
        found.push_back(op);
    return found;
  };
  for (linalg::LinalgOp a : reductions(first))
    for (linalg::LinalgOp b : reductions(second))
      if (!reduceSameWindows(a, b))
        return std::nullopt;
  return first;
}

/// Whether `op` reduces windows of what it reads there, each element once, that lie within tiles.
static bool poolsInside(linalg::LinalgOp op, OpOperand *input) {
  AffineMap map = op.getMatchingIndexingMap(input);
  if (!map.isPermutation())
    return false;
  auto kinds = op.getIteratorTypesArray();
  llvm::SmallBitVector reduced(map.getNumResults());
  for (auto [axis, index] : llvm::enumerate(map.getResults()))
    reduced[axis] =
        kinds[cast<AffineDimExpr>(index).getPosition()] == utils::IteratorType::reduction;
  return poolsInTile(cast<RankedTensorType>(input->get().getType()).getShape(), reduced);
}

/// Windows of what a contraction computes, each within one of its tiles: see SplitWindows.cpp.
std::optional<Group> Grouping::pooling(unsigned producer, unsigned consumer) {
  const Group &first = groups[producer], &second = groups[consumer];
  if (first.kind != Kind::Contraction || second.kind != Kind::Rows)
    return std::nullopt;
  bool pools = false;
  for (unsigned number : second.ops) {
    auto op = dyn_cast<linalg::GenericOp>(ops[number]);
    if (!op)
      continue;
    for (OpOperand *input : op.getDpsInputOperands()) {
      Operation *definition = input->get().getDefiningOp();
      if (!definition || !numbers.contains(definition) || groupOf[numbers[definition]] != producer)
        continue;
      if (!definition->hasOneUse() || !poolsInside(op, input))
        return std::nullopt;
      pools = true;
    }
  }
  if (!pools)
    return std::nullopt;
  Group merged = first;
  merged.space = second.space;
  return merged;
}

std::optional<Group> Grouping::elements(unsigned producer, unsigned consumer) {
  const Group &first = groups[producer], &second = groups[consumer];
  if (first.kind != Kind::Pointwise || second.kind != Kind::Pointwise ||
      first.space != second.space || !computesFor(producer, consumer, first.space.size()))
    return std::nullopt;
  return first;
}

/// A group seen as rows of `space`; nothing if it is not made of them.
static std::optional<Group> asRows(const Group &group, ArrayRef<Extent> space) {
  if (group.kind == Kind::Rows && ArrayRef(group.space) != space)
    return std::nullopt;
  if (group.space.size() < space.size() || ArrayRef(group.space).take_front(space.size()) != space)
    return std::nullopt;
  Group rows = group;
  rows.kind = Kind::Rows;
  rows.space.assign(space.begin(), space.end());
  for (const Extent &extent : ArrayRef(group.space).drop_front(space.size()))
    rows.lengthenRows(extent.size);
  return rows;
}

std::optional<Group> Grouping::rows(unsigned producer, unsigned consumer) {
  // Several tensors of a row must stay in the nearest cache.
  constexpr int64_t longest = 4096;
  const Group &first = groups[producer], &second = groups[consumer];
  auto isKind = [](const Group &group) {
    return group.kind == Kind::Rows || group.kind == Kind::Pointwise;
  };
  if (!isKind(first) || !isKind(second))
    return std::nullopt;
  const Group &narrow = first.kind == Kind::Rows                   ? first
                        : second.kind == Kind::Rows                ? second
                        : first.space.size() < second.space.size() ? first
                                                                   : second;
  if (narrow.space.empty())
    return std::nullopt;
  std::optional<Group> a = asRows(first, narrow.space), b = asRows(second, narrow.space);
  if (!a || !b || !computesFor(producer, consumer, narrow.space.size()))
    return std::nullopt;
  // One value per row beside a row's reduction keeps nothing.
  bool keepsRow = first.space.size() > narrow.space.size() ||
                  second.space.size() > narrow.space.size() || first.kind == second.kind;
  bool tooLong = ShapedType::isDynamic(a->rowLength) || ShapedType::isDynamic(b->rowLength) ||
                 std::max(a->rowLength, b->rowLength) > longest;
  if (keepsRow && tooLong)
    return std::nullopt;
  a->rowLength = tooLong ? ShapedType::kDynamic : std::max(a->rowLength, b->rowLength);
  return a;
}

//===--- merging ---------------------------------------------------------------------------------

/// Applies `rule` to neighbours until nothing changes; whether anything did.
bool Grouping::mergeEdges(llvm::function_ref<std::optional<Group>(unsigned, unsigned)> rule) {
  bool changed = false;
  for (unsigned producer = 0; producer < groups.size(); ++producer) {
    bool again = true;
    while (again) {
      again = false;
      for (unsigned consumer : llvm::to_vector(groups[producer].successors)) {
        std::optional<Group> merged = rule(producer, consumer);
        if (!merged || reaches(producer, consumer))
          continue;
        unite(producer, consumer, *merged);
        again = changed = true;
        break;
      }
    }
  }
  return changed;
}

/// Scalars that do not depend on each other run together all the same: a launch each would cost
/// more than they do.
void Grouping::mergeScalars() {
  auto isScalar = [](const Group &group) {
    return group.kind == Kind::Pointwise && group.space.empty();
  };
  for (unsigned first = 0; first < groups.size(); ++first)
    for (unsigned second = first + 1; second < groups.size(); ++second)
      if (isScalar(groups[first]) && isScalar(groups[second]) && !reaches(first, second) &&
          !reaches(second, first) && !groups[first].successors.contains(second) &&
          !groups[second].successors.contains(first))
        unite(first, second, groups[first]);
}

void Grouping::merge(bool pool) {
  mergeEdges([&](unsigned a, unsigned b) { return windows(a, b); });
  mergeEdges([&](unsigned a, unsigned b) { return epilogue(a, b); });
  if (pool && mergeEdges([&](unsigned a, unsigned b) { return pooling(a, b); }))
    mergeEdges([&](unsigned a, unsigned b) { return epilogue(a, b); });
  mergeEdges([&](unsigned a, unsigned b) { return elements(a, b); });
  while (mergeEdges([&](unsigned a, unsigned b) { return rows(a, b); })) {
  }
  mergeScalars();
}

//===--- result ----------------------------------------------------------------------------------

static StringRef nameOf(const Group &group) {
  if (group.space.empty() && group.kind == Kind::Pointwise)
    return "small";
  switch (group.kind) {
  case Kind::Contraction:
    return "contraction";
  case Kind::Reduction:
    return "reduction";
  case Kind::Rows:
    return "rows";
  case Kind::Pointwise:
    return "pointwise";
  default:
    return "other";
  }
}

SmallVector<KernelGroup> Grouping::result() {
  SmallVector<KernelGroup> kernels;
  for (Group &group : groups) {
    if (group.kind == Kind::Host || group.ops.empty())
      continue;
    llvm::sort(group.ops);
    KernelGroup &kernel = kernels.emplace_back();
    kernel.kind = nameOf(group);
    for (unsigned number : group.ops)
      kernel.ops.push_back(ops[number]);
  }
  return kernels;
}

SmallVector<KernelGroup> groupOps(Block &block, bool fuse, bool pool) {
  Grouping grouping(block);
  if (fuse)
    grouping.merge(pool);
  return grouping.result();
}

} // namespace formwork
