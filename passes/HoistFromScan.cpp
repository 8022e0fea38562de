// Moves out of scans what need not be computed step by step.
//
// Before the loop: what depends on no carry. A recurrent layer's x_t W, for all t, is one
// contraction. After the loop: contractions that nothing but stacked outputs and sums over the
// steps depend on. The gradients of a recurrent layer's weights, sums of x_t^T dz_t, are one
// contraction each, and so are those of its inputs. In between remain the recurrence itself and
// elementwise work; a matrix that is contracted there over its rows' elements, as a weight is on
// the way back, is turned before the loop rather than in each step.
//
// Only what gains is moved (StackableOp): stacks of intermediate values cost memory, which nothing
// but a large contraction instead of many small ones pays for. A scan that remains with unused
// operands and results is left to canonicalization.
#include "ir/Backpropagation.h"
#include "ir/Bodies.h"
#include "ir/Scan.h"
#include "ir/Stacking.h"
#include "passes/Passes.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_HOISTFROMSCAN
#include "passes/Passes.h.inc"

//===--- what varies in a body -------------------------------------------------------------------

namespace {
enum class Varies { Never, ByStep, WithCarry };

/// On what each value of a scan's body depends.
class Variation {
public:
  explicit Variation(ScanOp scan);

  Varies operator()(Value value) const { return known.lookup(value); }

  /// Whether every result of `op` depends on no carry.
  bool knownBefore(Operation *op) const { return (*this)(op->getResult(0)) != Varies::WithCarry; }

  /// Which operands differ from step to step: those come stacked.
  llvm::BitVector varying(Operation *op) const {
    llvm::BitVector bits(op->getNumOperands());
    for (auto [i, operand] : llvm::enumerate(op->getOperands()))
      bits[i] = (*this)(operand) != Varies::Never;
    return bits;
  }

private:
  DenseMap<Value, Varies> known;
};
} // namespace

Variation::Variation(ScanOp scan) {
  Block &body = scan.getBody().front();
  size_t carries = scan.getInitials().size(), elements = scan.getSequences().size();
  for (auto [i, argument] : llvm::enumerate(body.getArguments()))
    known[argument] = i < carries              ? Varies::WithCarry
                      : i < carries + elements ? Varies::ByStep
                                               : Varies::Never;
  for (Operation &op : body.without_terminator()) {
    Varies most = Varies::Never;
    for (Value operand : op.getOperands())
      most = std::max(most, known.lookup(operand));
    for (Value result : op.getResults())
      known[result] = most;
  }
}

//===--- values outside --------------------------------------------------------------------------

namespace {
/// What stands for the values of a body outside of its loop: for one that varies, its stack.
class Outside {
public:
  Outside(ScanOp scan, const Variation &variation, ImplicitLocOpBuilder builder);

  void put(Value inside, Value outside) { mapping.map(inside, outside); }
  bool has(Value inside) const { return mapping.contains(inside); }
  Value get(Value inside);

  /// Computes the results of `op` for all steps at once.
  void compute(Operation *op);

private:
  const Variation &variation;
  ImplicitLocOpBuilder builder;
  IRMapping mapping;
};
} // namespace

Outside::Outside(ScanOp scan, const Variation &variation, ImplicitLocOpBuilder builder)
    : variation(variation), builder(builder) {
  ValueRange arguments = scan.getBody().getArguments().drop_front(scan.getInitials().size());
  mapping.map(arguments.take_front(scan.getSequences().size()), scan.getSequences());
  mapping.map(arguments.take_back(scan.getCaptures().size()), scan.getCaptures());
}

/// Constants are copied when they are asked for.
Value Outside::get(Value inside) {
  if (!has(inside)) {
    Operation *op = inside.getDefiningOp();
    assert(op && op->getNumOperands() == 0 && "values that vary were put or computed");
    builder.clone(*op, mapping);
  }
  return mapping.lookup(inside);
}

void Outside::compute(Operation *op) {
  for (Value operand : op->getOperands())
    get(operand);
  builder.setLoc(op->getLoc());
  llvm::BitVector stacked = variation.varying(op);
  if (stacked.none()) {
    builder.clone(*op, mapping);
    return;
  }
  auto operands = llvm::map_to_vector(op->getOperands(), [&](Value v) { return get(v); });
  put(op->getResult(0), stack(builder, op, operands, stacked));
}

static bool isConstant(Value value) {
  Operation *op = value.getDefiningOp();
  return op && op->getNumOperands() == 0 && isPure(op);
}

//===--- before the loop -------------------------------------------------------------------------

/// Whether `value`, of which no carry is part, can be had for all steps at once.
static bool availableBefore(Value value, const Variation &variation) {
  Operation *op = value.getDefiningOp();
  if (!op || isConstant(value))
    return true;
  if (!isPure(op) || op->getNumResults() != 1)
    return false;
  llvm::BitVector stacked = variation.varying(op);
  return (stacked.none() || canStack(op, stacked)) &&
         llvm::all_of(op->getOperands(), [&](Value v) { return availableBefore(v, variation); });
}

/// The ops that move before the loop: those the same in each step, contractions that depend on no
/// carry, what leads to them, and elementwise work on what they give.
static llvm::SetVector<Operation *> chooseBefore(ScanOp scan, const Variation &variation) {
  llvm::SetVector<Operation *> chosen;
  auto choose = [&](auto &self, Operation *op) -> void {
    for (Value operand : op->getOperands())
      if (Operation *source = operand.getDefiningOp(); source && !isConstant(operand))
        self(self, source);
    chosen.insert(op);
  };
  for (Operation &op : scan.getBody().front().without_terminator()) {
    if (op.getNumOperands() == 0 || !variation.knownBefore(&op) ||
        !availableBefore(op.getResult(0), variation))
      continue;
    bool follows = llvm::any_of(op.getOperands(), [&](Value operand) {
      return variation(operand) == Varies::ByStep && chosen.contains(operand.getDefiningOp());
    });
    if (variation.varying(&op).none() || gainsFromStacking(&op) || follows)
      choose(choose, &op);
  }
  return chosen;
}

static bool hoistBefore(ScanOp scan) {
  Variation variation(scan);
  llvm::SetVector<Operation *> chosen = chooseBefore(scan, variation);
  if (chosen.empty())
    return false;
  Outside outside(scan, variation, ImplicitLocOpBuilder(scan.getLoc(), scan));
  for (Operation *op : chosen)
    outside.compute(op);
  for (Operation *op : chosen) {
    Value result = op->getResult(0);
    auto remains = [&](OpOperand &use) { return !chosen.contains(use.getOwner()); };
    if (llvm::none_of(result.getUses(), remains))
      continue;
    bool varies = variation(result) != Varies::Never;
    result.replaceUsesWithIf(addScanArgument(scan, outside.get(result), varies), remains);
  }
  for (Operation *op : llvm::reverse(chosen))
    op->erase();
  return true;
}

//===--- after the loop --------------------------------------------------------------------------

namespace {
/// What of a body can wait until the loop has ended.
class Waiting {
public:
  explicit Waiting(ScanOp scan);

  /// In the order of the body.
  ArrayRef<Operation *> ops() const { return chosen.getArrayRef(); }
  bool contains(Value value) const { return chosen.contains(value.getDefiningOp()); }

  /// Values of the body, not constant, that those ops read.
  SmallVector<Value> inputs() const;

  /// If the body adds something to carry `index` and does nothing else with it: what it adds.
  Value addend(unsigned index) const { return addends[index]; }

private:
  bool canWait(Operation *op) const;
  bool gains(Operation *op) const;

  ScanOp scan;
  Variation variation;
  SmallVector<Value> addends;
  /// The ops that do the adding.
  DenseSet<Operation *> additions;
  /// All that can wait, of which those that gain are chosen, and what reads them.
  DenseSet<Operation *> able;
  llvm::SetVector<Operation *> chosen;
};
} // namespace

/// What is added to `carry` to give `next`, if the carry is read for nothing else.
static Value addendOf(BlockArgument carry, Value next) {
  auto addition = next.getDefiningOp<AddOp>();
  if (!addition || !carry.hasOneUse() || !next.hasOneUse() ||
      *carry.getUsers().begin() != addition.getOperation())
    return {};
  Value addend = addition.getA() == carry ? addition.getB() : addition.getA();
  return addend.getType() == carry.getType() ? addend : Value();
}

Waiting::Waiting(ScanOp scan) : scan(scan), variation(scan) {
  Block &body = scan.getBody().front();
  for (size_t i = 0; i < scan.getInitials().size(); ++i) {
    Value next = body.getTerminator()->getOperand(i);
    addends.push_back(addendOf(body.getArgument(i), next));
    if (addends.back())
      additions.insert(next.getDefiningOp());
  }
  for (Operation &op : llvm::reverse(body.without_terminator()))
    if (canWait(&op))
      able.insert(&op);
  for (Operation &op : body.without_terminator())
    if (able.contains(&op) &&
        (gains(&op) || llvm::any_of(op.getOperands(), [&](Value v) { return contains(v); })))
      chosen.insert(&op);
}

/// Whether only outputs, sums over the steps and other ops that can wait depend on `op`. What is
/// the same in each step and yet computed in the body cannot be had outside.
bool Waiting::canWait(Operation *op) const {
  llvm::BitVector varying = variation.varying(op);
  if (additions.contains(op) || op->getNumResults() != 1 || varying.none() ||
      !canStack(op, varying))
    return false;
  for (Value operand : op->getOperands())
    if (variation(operand) == Varies::Never && operand.getDefiningOp() && !isConstant(operand))
      return false;
  return llvm::all_of(op->getUses(), [&](OpOperand &use) {
    Operation *user = use.getOwner();
    if (user->hasTrait<OpTrait::IsTerminator>())
      return use.getOperandNumber() >= ScanOp(scan).getInitials().size();
    return additions.contains(user) || able.contains(user);
  });
}

/// Contractions gain. So does what drops dimensions, a sum, if it is then summed over the steps.
bool Waiting::gains(Operation *op) const {
  auto rank = [](Value value) { return cast<RankedTensorType>(value.getType()).getRank(); };
  bool drops = isa<StackableOp>(op) && rank(op->getResult(0)) < rank(op->getOperand(0));
  return gainsFromStacking(op) || (drops && llvm::all_of(op->getUsers(), [&](Operation *user) {
                                     return additions.contains(user);
                                   }));
}

SmallVector<Value> Waiting::inputs() const {
  llvm::SetVector<Value> read;
  for (Operation *op : chosen)
    for (Value operand : op->getOperands())
      if (!contains(operand) && !isConstant(operand))
        read.insert(operand);
  return read.takeVector();
}

/// The scan with `values` of its body as further outputs. It takes the place of `scan`.
static ScanOp withOutputs(ScanOp scan, ValueRange values) {
  OpBuilder builder(scan);
  SmallVector<Type> stacked(scan.getStacked().getTypes());
  for (Value value : values)
    stacked.push_back(stackTypeOf(countSteps(scan), value.getType()));
  auto larger = ScanOp::create(builder, scan.getLoc(), scan.getFinals().getTypes(), stacked,
                               scan.getInitials(), scan.getSequences(), scan.getCaptures(),
                               scan.getReverse());
  larger.getBody().takeBody(scan.getBody());
  Operation *terminator = larger.getBody().front().getTerminator();
  terminator->insertOperands(terminator->getNumOperands(), values);
  scan.getFinals().replaceAllUsesWith(larger.getFinals());
  scan.getStacked().replaceAllUsesWith(larger.getStacked().drop_back(values.size()));
  scan.erase();
  return larger;
}

/// `initial` plus the sum over all steps of what is stacked in `addends`.
static Value sumOfSteps(ImplicitLocOpBuilder &builder, Value initial, Value addends) {
  Value total = ReduceSumOp::create(builder, addends, ArrayRef<int64_t>{0}, /*keepdims=*/false);
  return isZeroLike(initial) ? total : Value(AddOp::create(builder, initial, total));
}

static bool hoistAfter(ScanOp scan) {
  Waiting waiting(scan);
  if (waiting.ops().empty())
    return false;
  // Carries and what is computed in the body must be stacked for what comes after; elements and
  // captures are there, and so is what is an output already.
  size_t carries = scan.getInitials().size();
  auto outputsOf = [&](ScanOp scan) {
    return scan.getBody().front().getTerminator()->getOperands().drop_front(carries);
  };
  SmallVector<Value> stacked, missing;
  Variation variation(scan);
  for (Value value : waiting.inputs())
    if (auto argument = dyn_cast<BlockArgument>(value);
        !argument || argument.getArgNumber() < carries)
      stacked.push_back(value);
  llvm::copy_if(stacked, std::back_inserter(missing),
                [&](Value value) { return !llvm::is_contained(outputsOf(scan), value); });
  ScanOp loop = withOutputs(scan, missing);
  ImplicitLocOpBuilder builder(loop.getLoc(), loop->getContext());
  builder.setInsertionPointAfter(loop);
  Outside outside(loop, variation, builder);
  for (Value value : stacked)
    outside.put(value, *llvm::find_if(loop.getStacked(), [&](Value output) {
                  return outputsOf(loop)[cast<OpResult>(output).getResultNumber() - carries] ==
                         value;
                }));
  for (Operation *op : waiting.ops())
    outside.compute(op);

  for (size_t i = 0; i < carries; ++i)
    if (Value addend = waiting.addend(i); addend && waiting.contains(addend))
      loop.getResult(i).replaceAllUsesWith(
          sumOfSteps(builder, loop.getInitials()[i], outside.get(addend)));
  for (auto [yielded, output] :
       llvm::zip(loop.getBody().front().getTerminator()->getOperands().drop_front(carries),
                 loop.getStacked()))
    if (waiting.contains(yielded))
      output.replaceAllUsesWith(outside.get(yielded));
  return true;
}

//===--- matrices that steps read across ----------------------------------------------------------

/// Whether `use` reads a captured matrix of which the elements of a row are contracted.
static bool readsAcross(OpOperand &use, ScanOp scan) {
  auto dot = dyn_cast<DotGeneralOp>(use.getOwner());
  auto captures = ValueRange(scan.getBody().getArguments()).take_back(scan.getCaptures().size());
  if (!dot || !llvm::is_contained(captures, use.get()))
    return false;
  ArrayRef<int64_t> contracted =
      use.getOperandNumber() == 0 ? dot.getAContract() : dot.getBContract();
  return cast<RankedTensorType>(use.get().getType()).getRank() == 2 && contracted.size() == 1 &&
         contracted.front() == 1 && dot.getABatch().empty();
}

/// Has `dot` read `turned` for its operand `number`.
static void readTurned(DotGeneralOp dot, unsigned number, Value turned) {
  ImplicitLocOpBuilder builder(dot.getLoc(), dot);
  Value operands[] = {dot.getA(), dot.getB()};
  SmallVector<int64_t> contracted[] = {llvm::to_vector(dot.getAContract()),
                                       llvm::to_vector(dot.getBContract())};
  operands[number] = turned;
  contracted[number] = {0};
  dot.replaceAllUsesWith(
      DotGeneralOp::create(builder, operands[0], operands[1], contracted[0], contracted[1])
          .getResult());
  dot.erase();
}

static void turnCaptures(ScanOp scan) {
  SmallVector<OpOperand *> across;
  scan.getBody().walk([&](DotGeneralOp dot) {
    for (OpOperand &operand : dot->getOpOperands())
      if (readsAcross(operand, scan)) {
        across.push_back(&operand);
        break;
      }
  });
  ImplicitLocOpBuilder builder(scan.getLoc(), scan);
  DenseMap<Value, BlockArgument> turned;
  for (OpOperand *operand : across) {
    BlockArgument &argument = turned[operand->get()];
    if (!argument) {
      unsigned number = cast<BlockArgument>(operand->get()).getArgNumber() -
                        scan.getInitials().size() - scan.getSequences().size();
      Value matrix = scan.getCaptures()[number];
      argument =
          addScanArgument(scan, TransposeOp::create(builder, matrix, ArrayRef<int64_t>{1, 0}),
                          /*varies=*/false);
    }
    readTurned(cast<DotGeneralOp>(operand->getOwner()), operand->getOperandNumber(), argument);
  }
}

namespace {
struct HoistFromScan : impl::HoistFromScanBase<HoistFromScan> {
  void runOnOperation() override {
    // Inner loops first: what leaves them may leave the outer one too.
    SmallVector<ScanOp> scans;
    getOperation().walk([&](ScanOp scan) { scans.push_back(scan); });
    for (ScanOp scan : scans) {
      hoistBefore(scan);
      hoistAfter(scan);
    }
    getOperation().walk([](ScanOp scan) { turnCaptures(scan); });
  }
};
} // namespace

} // namespace formwork
