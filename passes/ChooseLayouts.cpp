// Chooses how variables lie in memory, once for a module: predict, train_step and `?` functions
// read the same state.
//
// A large matrix [k, n] that is contracted is kept in panels [n/p, k, p]: p columns of all rows,
// one line of the cache after the other. In row-major order the rows of a tile's columns lie far
// apart, so that they compete for few places of the first-level cache, and no prefetcher follows.
// In GF/s of float32 on Zen 4, whose peak is 118, row-major and in panels:
//
//   32 x 1024 times 1024 x 1024    65 107        8 x 1024 times 1024 x 1024    34 108
//   32 x 2048 times 2048 x 2048    51 104       32 x  128 times  128 x  512   114 114
//
// An optimizer's slots lie as their variable does, and what is assigned to a variable is computed
// in its layout where ops can do that (elementwise ops, contractions); else it is turned. Variables
// that anything but those reads, in a scan's body too, stay in row-major order.
#include "ir/Rewriting.h"
#include "passes/Passes.h"

#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_CHOOSELAYOUTS
#include "passes/Passes.h.inc"

using PanelSizes = DenseMap<StringAttr, int64_t>;

//===--- shapes ----------------------------------------------------------------------------------

static bool isMatrix(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return tensor.getRank() == 2 && tensor.hasStaticShape() &&
         isa<FloatType>(tensor.getElementType());
}

/// Whether fw.reshape can say what it makes of a tensor of this type.
static bool canReshape(Type type) {
  return llvm::count(cast<RankedTensorType>(type).getShape(), ShapedType::kDynamic) <= 1;
}

/// A type's sizes as fw.reshape takes them.
static SmallVector<int64_t> reshapeTo(RankedTensorType type) {
  SmallVector<int64_t> shape(type.getShape());
  llvm::replace(shape, ShapedType::kDynamic, int64_t(-1));
  return shape;
}

/// `value` with dimension `axis` in two: its blocks of `size`, and what is in one.
static Value split(ImplicitLocOpBuilder &builder, Value value, int64_t axis, int64_t size) {
  SmallVector<int64_t> shape = reshapeTo(cast<RankedTensorType>(value.getType()));
  shape[axis] /= size;
  shape.insert(shape.begin() + axis + 1, size);
  return builder.createOrFold<ReshapeOp>(value, shape);
}

/// Swaps rows and panels.
static Value swapped(ImplicitLocOpBuilder &builder, Value value) {
  return builder.createOrFold<TransposeOp>(value, ArrayRef<int64_t>{1, 0, 2});
}

static Value toPanels(ImplicitLocOpBuilder &builder, Value matrix, int64_t size) {
  return swapped(builder, split(builder, matrix, 1, size));
}

static Value fromPanels(ImplicitLocOpBuilder &builder, Value panels) {
  ArrayRef<int64_t> shape = cast<RankedTensorType>(panels.getType()).getShape();
  return builder.createOrFold<ReshapeOp>(swapped(builder, panels),
                                         ArrayRef<int64_t>{shape[1], shape[0] * shape[2]});
}

//===--- which variables -------------------------------------------------------------------------

static ArrayRef<int64_t> contractedBy(DotGeneralOp dot, unsigned operand) {
  return operand == 0 ? dot.getAContract() : dot.getBContract();
}

/// Whether the contraction can read this operand, a matrix, in panels.
static bool readsPanels(DotGeneralOp dot, unsigned matrix) {
  Value other = dot->getOperand(1 - matrix);
  if (other == dot->getOperand(matrix) || !dot.getABatch().empty() ||
      contractedBy(dot, matrix).size() != 1)
    return false;
  bool overRows = contractedBy(dot, matrix).front() == 0;
  int64_t partner = contractedBy(dot, 1 - matrix).front();
  return overRows ? canReshape(dot.getType())
                  : canReshape(other.getType()) &&
                        !cast<RankedTensorType>(other.getType()).isDynamicDim(partner);
}

/// What a captured operand is called in a loop's body; null for other operands.
static BlockArgument capturedAs(OpOperand &use) {
  auto scan = dyn_cast<ScanOp>(use.getOwner());
  unsigned number = use.getOperandNumber();
  // The body's arguments are in the operands' order.
  return scan && number >= scan.getCaptures().getBeginOperandIndex()
             ? scan.getBody().getArgument(number)
             : BlockArgument();
}

/// Whether contractions read the matrix here, and can read it in panels.
static bool isContracted(OpOperand &use) {
  if (auto dot = dyn_cast<DotGeneralOp>(use.getOwner()))
    return readsPanels(dot, use.getOperandNumber());
  BlockArgument captured = capturedAs(use);
  return captured && !captured.use_empty() && llvm::all_of(captured.getUses(), isContracted);
}

static FlatSymbolRefAttr variableOf(BlockArgument argument) {
  auto function = cast<func::FuncOp>(argument.getOwner()->getParentOp());
  return function.getArgAttrOfType<FlatSymbolRefAttr>(argument.getArgNumber(), "fw.variable");
}

namespace {
/// Chooses for all variables of a module.
class Choice {
public:
  Choice(ModuleOp module, const ChooseLayoutsOptions &options);
  /// Columns of a panel; no entry for variables in row-major order.
  PanelSizes panels();

private:
  std::optional<int64_t> panelOf(VariableOp variable) const;

  ModuleOp module;
  const ChooseLayoutsOptions &options;
  DenseMap<StringAttr, SmallVector<BlockArgument>> arguments;
};
} // namespace

Choice::Choice(ModuleOp module, const ChooseLayoutsOptions &options)
    : module(module), options(options) {
  for (auto function : module.getOps<func::FuncOp>())
    for (BlockArgument argument : function.getArguments())
      if (FlatSymbolRefAttr variable = variableOf(argument))
        arguments[variable.getAttr()].push_back(argument);
}

std::optional<int64_t> Choice::panelOf(VariableOp variable) const {
  if (variable.getSlotOf() || !isMatrix(variable.getType()))
    return std::nullopt;
  auto type = cast<RankedTensorType>(variable.getType());
  int64_t bytes = type.getElementTypeBitWidth() / 8, columns = type.getDimSize(1);
  int64_t size = options.panelBytes / bytes;
  if (columns * bytes < options.rowBytes || columns % size != 0 ||
      type.getNumElements() * bytes < options.matrixBytes)
    return std::nullopt;
  bool contracted = false;
  for (BlockArgument argument : arguments.lookup(variable.getSymNameAttr()))
    for (OpOperand &use : argument.getUses()) {
      bool contractedHere = isContracted(use);
      if (!contractedHere && !isa<ElementwiseOp, func::ReturnOp>(use.getOwner()))
        return std::nullopt;
      contracted |= contractedHere;
    }
  return contracted ? std::optional(size) : std::nullopt;
}

PanelSizes Choice::panels() {
  PanelSizes sizes;
  for (auto variable : module.getOps<VariableOp>())
    if (std::optional<int64_t> size = panelOf(variable))
      sizes[variable.getSymNameAttr()] = *size;
  SymbolTable symbols(module);
  for (auto slot : module.getOps<VariableOp>())
    if (FlatSymbolRefAttr owner = slot.getSlotOfAttr())
      if (auto found = sizes.find(owner.getAttr());
          found != sizes.end() &&
          symbols.lookup<VariableOp>(owner.getValue()).getType() == slot.getType())
        sizes[slot.getSymNameAttr()] = found->second;
  return sizes;
}

//===--- functions -------------------------------------------------------------------------------

namespace {
/// Rewrites one function to take and give variables in their layout.
class LayoutRewriter {
public:
  LayoutRewriter(func::FuncOp function, const PanelSizes &sizes)
      : function(function), sizes(sizes) {}
  void run();

private:
  void takeArgument(BlockArgument argument, int64_t size);
  void readPanels(OpOperand &matrix, Value panels);
  Value inPanels(Value matrix, int64_t size);
  Value computed(Operation *op, int64_t size);
  Value computedElementwise(Operation *op, int64_t size);
  Value computedContraction(DotGeneralOp dot, int64_t size);

  func::FuncOp function;
  const PanelSizes &sizes;
  /// A matrix and the panels that hold the same.
  DenseMap<Value, Value> panelsOf;
};
} // namespace

/// Has a contraction read panels in place of the matrix they hold.
void LayoutRewriter::readPanels(OpOperand &matrix, Value panels) {
  auto dot = cast<DotGeneralOp>(matrix.getOwner());
  unsigned number = matrix.getOperandNumber();
  ImplicitLocOpBuilder builder(dot.getLoc(), dot);
  Value other = dot->getOperand(1 - number);
  SmallVector<int64_t> mine = {1}, others(contractedBy(dot, 1 - number));
  if (contractedBy(dot, number).front() == 1) {
    int64_t axis = others.front();
    other = split(builder, other, axis, cast<RankedTensorType>(panels.getType()).getDimSize(2));
    mine = {0, 2};
    others = {axis, axis + 1};
  }
  Value result = number == 0 ? DotGeneralOp::create(builder, panels, other, mine, others)
                             : DotGeneralOp::create(builder, other, panels, others, mine);
  dot.replaceAllUsesWith(builder.createOrFold<ReshapeOp>(result, reshapeTo(dot.getType())));
  dot.erase();
}

void LayoutRewriter::takeArgument(BlockArgument argument, int64_t size) {
  auto builder = ImplicitLocOpBuilder::atBlockBegin(argument.getLoc(), argument.getOwner());
  auto type = cast<RankedTensorType>(argument.getType());
  argument.setType(type.clone({type.getDimSize(1) / size, type.getDimSize(0), size}));
  Value matrix = fromPanels(builder, argument);
  argument.replaceAllUsesExcept(matrix, matrix.getDefiningOp<ReshapeOp>().getX().getDefiningOp());
  panelsOf[matrix] = argument;
  for (OpOperand &use : llvm::make_early_inc_range(matrix.getUses()))
    if (isa<DotGeneralOp>(use.getOwner())) {
      readPanels(use, argument);
    } else if (BlockArgument captured = capturedAs(use)) {
      use.set(argument);
      takeArgument(captured, size);
    }
}

Value LayoutRewriter::computedElementwise(Operation *op, int64_t size) {
  auto fits = [&](Value operand) {
    auto type = cast<RankedTensorType>(operand.getType());
    return type.getRank() == 0 ||
           type.getShape() == cast<RankedTensorType>(op->getResult(0).getType()).getShape();
  };
  if (!llvm::all_of(op->getOperands(), fits))
    return {};
  SmallVector<Value> operands;
  RankedTensorType stored;
  for (Value operand : op->getOperands()) {
    bool isScalar = cast<RankedTensorType>(operand.getType()).getRank() == 0;
    operands.push_back(isScalar ? operand : inPanels(operand, size));
    if (!isScalar)
      stored = cast<RankedTensorType>(operands.back().getType());
  }
  if (!stored)
    return {};
  Operation *copy = OpBuilder(op).clone(*op);
  copy->setOperands(operands);
  Value result = copy->getResult(0);
  result.setType(stored.clone(getElementTypeOrSelf(result.getType())));
  return result;
}

/// The columns come from one dimension of one operand: that is split.
Value LayoutRewriter::computedContraction(DotGeneralOp dot, int64_t size) {
  if (!dot.getABatch().empty())
    return {};
  SmallVector<int64_t> contract[2] = {llvm::to_vector(dot.getAContract()),
                                      llvm::to_vector(dot.getBContract())};
  Value operands[2] = {dot.getA(), dot.getB()};
  int64_t rank = cast<RankedTensorType>(dot.getB().getType()).getRank();
  bool fromA = rank == int64_t(contract[1].size());
  Value &operand = operands[!fromA];
  int64_t axis = cast<RankedTensorType>(operand.getType()).getRank() - 1;
  while (llvm::is_contained(contract[!fromA], axis))
    --axis;
  if (!canReshape(operand.getType()))
    return {};
  ImplicitLocOpBuilder builder(dot.getLoc(), dot);
  operand = split(builder, operand, axis, size);
  for (int64_t &other : contract[!fromA])
    other += other > axis;
  Value result = DotGeneralOp::create(builder, operands[0], operands[1], contract[0], contract[1]);
  return swapped(builder, result);
}

Value LayoutRewriter::computed(Operation *op, int64_t size) {
  if (isa_and_nonnull<ElementwiseOp>(op))
    return computedElementwise(op, size);
  if (auto dot = dyn_cast_if_present<DotGeneralOp>(op))
    return computedContraction(dot, size);
  return {};
}

/// What holds `matrix` in panels; ops that can compute that do so from now on.
Value LayoutRewriter::inPanels(Value matrix, int64_t size) {
  if (Value known = panelsOf.lookup(matrix))
    return known;
  ImplicitLocOpBuilder builder(matrix.getLoc(), function.getContext());
  builder.setInsertionPointAfterValue(matrix);
  Value panels = computed(matrix.getDefiningOp(), size);
  if (!panels)
    return panelsOf[matrix] = toPanels(builder, matrix, size);
  // Others read it out of the panels, so that nothing is computed twice.
  Value back = fromPanels(builder, panels);
  matrix.replaceAllUsesWith(back);
  panelsOf[back] = panels;
  return panels;
}

void LayoutRewriter::run() {
  for (BlockArgument argument : function.getArguments())
    if (FlatSymbolRefAttr variable = variableOf(argument))
      if (int64_t size = sizes.lookup(variable.getAttr()))
        takeArgument(argument, size);
  Operation *terminator = function.front().getTerminator();
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    if (auto variable = function.getResultAttrOfType<FlatSymbolRefAttr>(i, "fw.variable"))
      if (int64_t size = sizes.lookup(variable.getAttr()))
        terminator->setOperand(i, inPanels(terminator->getOperand(i), size));
  function.setType(FunctionType::get(function.getContext(), function.front().getArgumentTypes(),
                                     terminator->getOperandTypes()));
}

namespace {
struct ChooseLayouts : impl::ChooseLayoutsBase<ChooseLayouts> {
  using ChooseLayoutsBase::ChooseLayoutsBase;

  void runOnOperation() override {
    PanelSizes sizes = Choice(getOperation(), {panelBytes, rowBytes, matrixBytes}).panels();
    if (sizes.empty())
      return markAllAnalysesPreserved();
    for (auto variable : getOperation().getOps<VariableOp>())
      if (int64_t size = sizes.lookup(variable.getSymNameAttr()))
        variable.setPanel(size);
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal())
        LayoutRewriter(function, sizes).run();
    // Only here: most models have no matrix that is large enough, and nothing to clean up.
    OpPassManager cleanUp(getOperation()->getName());
    cleanUp.addPass(createStructuredCanonicalizer());
    cleanUp.addPass(createCSEPass());
    if (failed(runPipeline(cleanUp, getOperation())))
      signalPassFailure();
  }
};
} // namespace

} // namespace formwork
