#include "codegen/cuda/Schedule.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace formwork::cuda {

/// A GPU of the larger kind: so many multiprocessors, each of which hides latency with so many
/// threads.
static constexpr int64_t processors = 132, threadsWanted = processors * 512;
static constexpr int64_t blockThreads = 256, warp = 32;

int64_t iterations(const Kernel &kernel, ArrayRef<Dim> dims) {
  int64_t count = 1;
  for (Dim dim : dims)
    count *= kernel.isStatic(dim) ? std::max<int64_t>(kernel.size(dim), 1) : 32;
  return count;
}

//===--- steps of a team -------------------------------------------------------------------------

namespace {
class TeamScheduler {
public:
  /// `threads`: the most that a block may have.
  TeamScheduler(const Kernel &kernel, Group &group, int64_t threads)
      : kernel(kernel), group(group), threads(threads) {}
  /// Gives the number of threads that blocks should have.
  int64_t run();

private:
  bool isStatistic(linalg::GenericOp op) const {
    return isReduction(op) && without(kernel.parallel(op), group.outer).empty();
  }
  Dims innerOf(linalg::GenericOp op) const {
    return innerOrder(kernel, op, without(kernel.parallel(op), group.outer));
  }
  void findNeeds();
  void place(const Item &item);
  void keepWhatManyRead();
  int64_t bytesKept(linalg::GenericOp op) const;
  bool prefersAdjacent() const;

  const Kernel &kernel;
  Group &group;
  int64_t threads;
  /// All reductions behind an item, at any distance.
  DenseMap<Operation *, OpSet> needs;
};
} // namespace

void TeamScheduler::findNeeds() {
  for (const Item &item : group.items) {
    OpSet all = item.behind;
    for (Operation *op : item.behind)
      all.insert(needs[op].begin(), needs[op].end());
    needs[item.op] = std::move(all);
  }
}

static bool sameSet(ArrayRef<Dim> a, ArrayRef<Dim> b) {
  return without(a, b).empty() && without(b, a).empty();
}

void TeamScheduler::place(const Item &item) {
  auto isOutput = [&](Value result) { return kernel.isOutput(result); };
  bool statistic = isStatistic(item.op);
  // Other reductions are computed where they are read.
  if (!statistic && isReduction(item.op) && llvm::none_of(item.op->getResults(), isOutput))
    return;
  TeamStep::Kind kind = statistic ? TeamStep::Statistics : TeamStep::Pass;
  Dims dims = statistic ? reducedOrder(kernel, item.op) : innerOf(item.op);
  std::vector<TeamStep> &steps = group.teams.steps;
  // What a pass has stored is there for others after it.
  bool joins = !steps.empty() && steps.back().kind == kind && sameSet(steps.back().dims, dims) &&
               llvm::none_of(steps.back().ops,
                             [&](linalg::GenericOp op) { return needs[item.op].contains(op); });
  if (!joins)
    steps.push_back({kind, dims, {}});
  steps.back().ops.push_back(item.op);
}

/// Of all teams of a block; too many if the size is not known.
int64_t TeamScheduler::bytesKept(linalg::GenericOp op) const {
  int64_t elements = threads / group.teams.threads;
  for (Dim dim : innerOf(op)) {
    if (!kernel.isStatic(dim))
      return sharedBytes;
    elements *= kernel.size(dim);
  }
  return elements * op->getNumResults() * 8;
}

/// Reductions that several steps read get a pass of their own, before the first that does.
void TeamScheduler::keepWhatManyRead() {
  constexpr int64_t limit = 24 << 10;
  int64_t bytes = 0;
  DenseMap<Operation *, llvm::SetVector<Operation *>> alsoReads;
  for (const Item &item : llvm::reverse(group.items)) {
    bool stored =
        llvm::any_of(item.op->getResults(), [&](Value result) { return kernel.isOutput(result); });
    if (!isReduction(item.op) || isStatistic(item.op) || stored)
      continue;
    auto readsIt = [&](const TeamStep &step) {
      return llvm::any_of(step.ops,
                          [&](linalg::GenericOp op) { return needs[op].contains(item.op); });
    };
    auto &steps = group.teams.steps;
    if (llvm::count_if(steps, readsIt) < 2 || bytes + bytesKept(item.op) > limit)
      continue;
    bytes += bytesKept(item.op);
    group.kept.insert(item.op);
    auto first = llvm::find_if(steps, readsIt);
    steps.insert(first, {TeamStep::Pass, innerOf(item.op), {item.op}});
  }
}

/// Whether most of what is read or written is contiguous along what a team shares.
bool TeamScheduler::prefersAdjacent() const {
  if (group.outer.empty())
    return true;
  Dim outer = group.outer.back();
  int64_t along = 0, across = 0;
  for (const TeamStep &step : group.teams.steps) {
    if (step.dims.empty())
      continue;
    for (linalg::GenericOp op : step.ops)
      for (OpOperand &operand : op->getOpOperands()) {
        AffineMap access = kernel.access(operand);
        Dims read(kernel.loops(op));
        llvm::erase_if(read, [&](Dim dim) { return !dependsOn(access, dim); });
        int64_t weight = iterations(kernel, read);
        along += stepOf(access, step.dims.back()) == Step::Unit ? weight : 0;
        across += stepOf(access, outer) == Step::Unit ? weight : 0;
      }
  }
  return along > across;
}

int64_t TeamScheduler::run() {
  findNeeds();
  for (const Item &item : group.items)
    place(item);
  Teams &teams = group.teams;
  int64_t points = iterations(kernel, group.outer), share = 1;
  for (const TeamStep &step : teams.steps) {
    bool ordered = step.kind == TeamStep::Statistics &&
                   llvm::any_of(step.ops, [](linalg::GenericOp op) { return !combinerOf(op); });
    if (!ordered)
      share = std::max(share, iterations(kernel, step.dims));
  }
  teams.adjacent = prefersAdjacent();
  // A team that reads contiguously is a warp at least; so are neighbouring points.
  int64_t least = teams.adjacent ? warp : 1;
  int64_t most = teams.adjacent ? blockThreads : blockThreads / warp;
  // Few points and much to do: larger teams.
  int64_t block = blockThreads;
  if (points * blockThreads < threadsWanted / 8 && share >= 16 * most)
    block = threads;
  most *= block / blockThreads;
  while (teams.threads < most && share > 4 * teams.threads &&
         (teams.threads < least || points * teams.threads < threadsWanted))
    teams.threads *= 2;
  keepWhatManyRead();
  return block;
}

//===--- tiles -----------------------------------------------------------------------------------

/// The two operands that an op multiplies, if it sums products of its operands as they are.
static std::optional<Contraction> productOf(const Kernel &kernel, linalg::GenericOp op) {
  if (!isMultiplyAdd(op) || op.getBlock()->without_terminator().begin() == op.getBlock()->end())
    return std::nullopt;
  if (std::distance(op.getBlock()->without_terminator().begin(),
                    op.getBlock()->without_terminator().end()) != 2)
    return std::nullopt;
  auto product = cast<arith::MulFOp>(op.getBlock()->front());
  auto operandOf = [&](Value value) -> OpOperand * {
    auto argument = dyn_cast<BlockArgument>(value);
    return argument && argument.getOwner() == op.getBlock() &&
                   argument.getArgNumber() < op.getNumDpsInputs()
               ? op.getDpsInputOperand(argument.getArgNumber())
               : nullptr;
  };
  OpOperand *left = operandOf(product.getLhs()), *right = operandOf(product.getRhs());
  if (!left || !right)
    return std::nullopt;
  return Contraction{op, left, right, reducedOrder(kernel, op)};
}

/// Sorts the outer dimensions by which operand they index; the other way round if the results are
/// contiguous along the rows.
static bool sortDims(const Kernel &kernel, const Group &group, Contraction &product, Tiles &tiles) {
  auto sort = [&] {
    tiles.batch.clear(), tiles.rows.clear(), tiles.columns.clear();
    AffineMap left = kernel.access(*product.left), right = kernel.access(*product.right);
    for (Dim dim : group.outer) {
      bool inLeft = dependsOn(left, dim), inRight = dependsOn(right, dim);
      if (inLeft && !inRight)
        tiles.rows.push_back(dim);
      else if (inRight && !inLeft)
        tiles.columns.push_back(dim);
      else
        tiles.batch.push_back(dim);
    }
  };
  sort();
  if (!group.outer.empty() && contains(tiles.rows, group.outer.back())) {
    std::swap(product.left, product.right);
    sort();
  }
  return !tiles.rows.empty() && !tiles.columns.empty();
}

static TileShape bestShape(int64_t batch, int64_t rows, int64_t columns) {
  static constexpr TileShape shapes[] = {
      {128, 128, 8, 8, 8}, {64, 64, 16, 4, 4}, {32, 128, 16, 4, 4},
      {128, 32, 16, 4, 4}, {32, 32, 32, 2, 2},
  };
  auto cost = [&](const TileShape &shape) {
    int64_t blocks =
        batch * llvm::divideCeil(rows, shape.rows) * llvm::divideCeil(columns, shape.columns);
    // Per slice of one: multiply-adds, reads of shared memory, reads of memory.
    double perBlock = shape.rows * shape.columns / 128.0 + shape.threadRows + shape.threadColumns +
                      (shape.rows + shape.columns) / 32.0;
    return llvm::divideCeil(blocks, processors) * perBlock;
  };
  return *std::min_element(std::begin(shapes), std::end(shapes),
                           [&](auto &a, auto &b) { return cost(a) < cost(b); });
}

/// A warp computes 16 by 8 at once; eight warps, two by four of them, share the tile.
static void useTensorCores(Tiles &tiles) {
  tiles.tensorCores = true;
  tiles.shape.threadRows = tiles.shape.rows / 16;
  tiles.shape.threadColumns = tiles.shape.columns / 16;
}

static std::optional<Tiles> tilesOf(const Kernel &kernel, const Group &group,
                                    const Target &target) {
  Tiles tiles;
  for (const Item &item : group.items) {
    if (!sameSet(kernel.parallel(item.op), group.outer))
      return std::nullopt;
    if (!isReduction(item.op))
      continue;
    auto product = productOf(kernel, item.op);
    Tiles sorted;
    if (!product || !item.behind.empty() || !sortDims(kernel, group, *product, sorted))
      return std::nullopt;
    bool alike =
        tiles.contractions.empty() || (tiles.batch == sorted.batch && tiles.rows == sorted.rows &&
                                       tiles.columns == sorted.columns);
    if (!alike)
      return std::nullopt;
    tiles.batch = sorted.batch, tiles.rows = sorted.rows, tiles.columns = sorted.columns;
    tiles.contractions.push_back(*product);
  }
  if (tiles.contractions.empty())
    return std::nullopt;
  int64_t rows = iterations(kernel, tiles.rows), columns = iterations(kernel, tiles.columns);
  // A few rows leave a tile's threads idle, and a short sum its slices.
  bool tooFew = rows < 4 || columns < 4 || rows * columns < 64 ||
                llvm::any_of(tiles.contractions, [&](const Contraction &product) {
                  return iterations(kernel, product.over) < 4;
                });
  if (tooFew)
    return std::nullopt;
  tiles.shape = bestShape(iterations(kernel, tiles.batch), rows, columns);
  // Registers hold the sums of all.
  if (tiles.contractions.size() > 1 && tiles.shape.threadRows > 4)
    tiles.shape = {64, 64, 16, 4, 4};
  if (tiles.contractions.size() > 4)
    tiles.shape = {32, 32, 32, 2, 2};
  bool isFloat = llvm::all_of(tiles.contractions, [](const Contraction &product) {
    return getElementTypeOrSelf(product.op->getResult(0).getType()).isF32();
  });
  if (target.allowsTF32 && isFloat)
    useTensorCores(tiles);
  return tiles;
}

//===--- the whole -------------------------------------------------------------------------------

/// The dimension that results are contiguous in comes last: neighbouring points are neighbours in
/// memory.
static Dims outerOrder(const Kernel &kernel, ArrayRef<Item> items, Dims outer) {
  for (const Item &item : llvm::reverse(items))
    if (int along = writtenAlong(kernel, item.op); along != noDim && contains(outer, along)) {
      llvm::erase(outer, Dim(along));
      outer.push_back(along);
      break;
    }
  return outer;
}

Schedule schedule(const Kernel &kernel, const Target &target) {
  std::vector<Item> items = findItems(kernel);
  Schedule schedule{blockThreads, {}};
  bool anyTiles = false;
  for (ArrayRef<unsigned> members : connectItems(kernel, items)) {
    Group &group = schedule.groups.emplace_back();
    for (unsigned member : members)
      group.items.push_back(items[member]);
    group.outer = outerOrder(kernel, group.items, outerDims(kernel, items, members));
    group.tiles = tilesOf(kernel, group, target);
    anyTiles |= group.tiles.has_value();
  }
  // All blocks of a kernel have as many threads, those with tiles as many as their shape says.
  for (Group &group : schedule.groups)
    if (!group.tiles)
      schedule.threads =
          std::max(schedule.threads,
                   TeamScheduler(kernel, group, anyTiles ? blockThreads : largestBlock).run());
  return schedule;
}

} // namespace formwork::cuda
