// Whether a memory plan holds, asked of the planned IR alone.
//
// Shares nothing with the planner: liveness runs backwards over the host's schedule, addresses are
// what the IR's arithmetic yields. A part that is written says nothing of the rest; so that a
// tensor written part by part is not taken for needed from the beginning, a buffer holds nothing
// before its first write. Refuses a write to memory that holds a value still to be read, and a
// kernel whose operands overlap.
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_CHECKPLAN
#include "passes/Passes.h.inc"

namespace {
/// Values of index arithmetic for one choice of the symbols' sizes, each computed once.
class Evaluator {
public:
  explicit Evaluator(int64_t everySymbol) : everySymbol(everySymbol) {}

  std::optional<int64_t> operator()(Value value) {
    auto found = known.find(value);
    return found != known.end() ? found->second : known[value] = evaluate(value);
  }

private:
  std::optional<int64_t> evaluate(Value value) {
    if (isa<BlockArgument>(value))
      return value.getType().isIndex() ? std::optional(everySymbol) : std::nullopt;
    Operation *op = value.getDefiningOp();
    SmallVector<Attribute> operands;
    for (Value operand : op->getOperands()) {
      std::optional<int64_t> known = (*this)(operand);
      if (!known)
        return std::nullopt;
      operands.push_back(IntegerAttr::get(operand.getType(), *known));
    }
    SmallVector<OpFoldResult> results;
    if (failed(op->fold(operands, results)))
      return std::nullopt;
    if (results.empty())
      return std::nullopt;
    auto result = dyn_cast_if_present<Attribute>(results[0]);
    if (auto integer = dyn_cast_if_present<IntegerAttr>(result))
      return integer.getInt();
    auto forwarded = dyn_cast_if_present<Value>(results[0]);
    return forwarded ? (*this)(forwarded) : std::nullopt;
  }

  int64_t everySymbol;
  DenseMap<Value, std::optional<int64_t>> known;
};

struct Range {
  int64_t from, to;
  bool overlaps(Range other) const { return from < other.to && other.from < to; }
};

using Set = llvm::SmallDenseSet<unsigned, 8>;

/// A host function: which arena buffers each value may be, and which are live where.
class Checker {
public:
  explicit Checker(func::FuncOp function) : function(function) {}
  LogicalResult run();

private:
  void collectBuffers();
  void findPointees();
  bool pointToSame(ValueRange from, ValueRange to);
  bool propagate(Operation *op);
  Set liveBefore(Block &block, Set live);
  Set liveBefore(Operation *op, Set live);
  void checkWrites(Operation *op, const Set &live);
  void report(Operation *op, unsigned written, unsigned other);
  const Set &pointees(Value value) { return pointsTo[value]; }

  func::FuncOp function;
  SmallVector<memref::ViewOp> buffers;
  /// Addresses of each buffer, for each choice of sizes.
  std::vector<SmallVector<Range>> ranges;
  DenseMap<Value, Set> pointsTo;
  bool failedCheck = false;
};
} // namespace

//===--- addresses -------------------------------------------------------------------------------

static std::optional<Range> rangeOf(memref::ViewOp view, Evaluator &evaluate) {
  std::optional<int64_t> offset = evaluate(view.getByteShift());
  int64_t bytes = llvm::divideCeil(view.getType().getElementTypeBitWidth(), 8);
  for (int64_t size : view.getType().getShape())
    bytes *= ShapedType::isDynamic(size) ? 1 : size;
  for (Value size : view.getSizes()) {
    std::optional<int64_t> known = evaluate(size);
    if (!known)
      return std::nullopt;
    bytes *= *known;
  }
  if (!offset)
    return std::nullopt;
  return Range{*offset, *offset + bytes};
}

void Checker::collectBuffers() {
  SmallVector<Evaluator> choices;
  for (int64_t everySymbol : {0, 1, 2, 7, 32, 33, 1000})
    choices.emplace_back(everySymbol);
  function.walk([&](memref::ViewOp view) {
    auto argument = dyn_cast<BlockArgument>(view.getSource());
    if (!argument || !function.getArgAttr(argument.getArgNumber(), "fw.arena"))
      return;
    pointsTo[view.getResult()].insert(buffers.size());
    buffers.push_back(view);
    SmallVector<Range> &addresses = ranges.emplace_back();
    for (Evaluator &evaluate : choices) {
      std::optional<Range> range = rangeOf(view, evaluate);
      if (!range || range->from < 0 || range->from % 64 != 0) {
        view.emitError("the address of this buffer is not known or not aligned");
        failedCheck = true;
        range = Range{0, 0};
      }
      addresses.push_back(*range);
    }
  });
}

//===--- which buffers a value may be ------------------------------------------------------------

/// Lets each of `to` be what the one of `from` is; whether that was new.
bool Checker::pointToSame(ValueRange from, ValueRange to) {
  bool changed = false;
  for (auto [source, target] : llvm::zip_equal(from, to))
    for (unsigned buffer : Set(pointsTo[source]))
      changed |= pointsTo[target].insert(buffer).second;
  return changed;
}

bool Checker::propagate(Operation *op) {
  if (auto loop = dyn_cast<scf::ForOp>(op)) {
    bool changed = pointToSame(loop.getInitArgs(), loop.getRegionIterArgs());
    changed |= pointToSame(loop.getYieldedValues(), loop.getRegionIterArgs());
    return changed | pointToSame(loop.getRegionIterArgs(), loop.getResults());
  }
  if (auto loop = dyn_cast<scf::WhileOp>(op)) {
    ValueRange passed = loop.getConditionOp().getArgs();
    bool changed = pointToSame(loop.getInits(), loop.getBeforeArguments());
    changed |= pointToSame(loop.getYieldedValues(), loop.getBeforeArguments());
    changed |= pointToSame(passed, loop.getAfterArguments());
    return changed | pointToSame(passed, loop.getResults());
  }
  if (auto branch = dyn_cast<scf::IfOp>(op)) {
    bool changed = false;
    for (Region &region : branch->getRegions())
      if (!region.empty())
        changed |= pointToSame(region.front().getTerminator()->getOperands(), branch.getResults());
    return changed;
  }
  bool changed = false;
  for (Value result : op->getResults())
    if (isa<MemRefType>(result.getType()))
      for (Value operand : op->getOperands())
        if (isa<MemRefType>(operand.getType()))
          changed |= pointToSame(operand, result);
  return changed;
}

void Checker::findPointees() {
  bool changed = true;
  while (changed) {
    changed = false;
    function.walk([&](Operation *op) { changed |= propagate(op); });
  }
}

//===--- liveness --------------------------------------------------------------------------------

static void unite(Set &set, const Set &other) { set.insert(other.begin(), other.end()); }

/// Runs `step` on what is live after until it adds nothing.
static Set fixpoint(Set live, llvm::function_ref<Set(const Set &)> step) {
  while (true) {
    Set next = live;
    unite(next, step(live));
    if (next.size() == live.size())
      return live;
    live = std::move(next);
  }
}

/// What `op` writes every element of, whatever was there.
static SmallVector<Value> overwritten(Operation *op) {
  SmallVector<Value> whole;
  if (auto launch = dyn_cast<LaunchOp>(op))
    for (auto [output, overwrites] : llvm::zip_equal(launch.getOutputs(), launch.getOverwrites()))
      if (overwrites)
        whole.push_back(output);
  if (auto copy = dyn_cast<memref::CopyOp>(op))
    whole.push_back(copy.getTarget());
  if (auto store = dyn_cast<memref::StoreOp>(op); store && store.getMemRefType().getRank() == 0)
    whole.push_back(store.getMemref());
  return whole;
}

Set Checker::liveBefore(Block &block, Set live) {
  for (Operation &op : llvm::reverse(block))
    live = liveBefore(&op, std::move(live));
  return live;
}

Set Checker::liveBefore(Operation *op, Set live) {
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return fixpoint(live, [&](const Set &after) { return liveBefore(*loop.getBody(), after); });
  if (auto loop = dyn_cast<scf::WhileOp>(op))
    return fixpoint(live, [&](const Set &after) {
      Set before = liveBefore(*loop.getBeforeBody(), after);
      unite(before, liveBefore(*loop.getBeforeBody(), liveBefore(*loop.getAfterBody(), before)));
      return before;
    });
  if (auto branch = dyn_cast<scf::IfOp>(op)) {
    Set before;
    for (Region &region : branch->getRegions())
      unite(before, region.empty() ? live : liveBefore(region.front(), live));
    return before;
  }
  if (auto view = dyn_cast<memref::ViewOp>(op); view && pointsTo.contains(view)) {
    for (unsigned begun : pointees(view))
      live.erase(begun);
    return live;
  }
  checkWrites(op, live);
  for (Value output : overwritten(op))
    // Only a whole buffer ends there; a part of it says nothing of the rest.
    if (output.getDefiningOp<memref::ViewOp>() && pointees(output).size() == 1)
      live.erase(*pointees(output).begin());
  auto effects = dyn_cast<MemoryEffectOpInterface>(op);
  for (OpOperand &operand : op->getOpOperands())
    if (!isa<ViewLikeOpInterface>(op) &&
        (!effects || effects.getEffectOnValue<MemoryEffects::Read>(operand.get())))
      unite(live, pointees(operand.get()));
  return live;
}

//===--- writes ----------------------------------------------------------------------------------

void Checker::report(Operation *op, unsigned written, unsigned other) {
  failedCheck = true;
  InFlightDiagnostic error = op->emitError("writes to memory whose content is still needed");
  error.attachNote(buffers[written].getLoc()) << "this buffer is written";
  error.attachNote(buffers[other].getLoc()) << "this one overlaps it and is read later";
}

void Checker::checkWrites(Operation *op, const Set &live) {
  auto effects = dyn_cast<MemoryEffectOpInterface>(op);
  if (!effects)
    return;
  Set needed = live;
  for (Value operand : op->getOperands())
    if (isa<MemRefType>(operand.getType()))
      unite(needed, pointees(operand));
  for (Value operand : op->getOperands()) {
    if (!effects.getEffectOnValue<MemoryEffects::Write>(operand))
      continue;
    for (unsigned written : pointees(operand))
      for (unsigned other : needed)
        if (other != written &&
            llvm::any_of(llvm::zip_equal(ranges[written], ranges[other]),
                         [](auto pair) { return std::get<0>(pair).overlaps(std::get<1>(pair)); }))
          return report(op, written, other);
  }
}

LogicalResult Checker::run() {
  collectBuffers();
  findPointees();
  liveBefore(function.front(), {});
  return failure(failedCheck);
}

namespace {
struct CheckPlan : impl::CheckPlanBase<CheckPlan> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && failed(Checker(function).run()))
        return signalPassFailure();
  }
};
} // namespace

} // namespace formwork
