// From a group of ops on tensors to a function in destination style and its launch.
#include "passes/Outline.h"

#include "ir/ZeroBorder.h"
#include "passes/Slices.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;

namespace formwork {

ModuleOp kernelsOf(ModuleOp module) {
  for (auto nested : module.getOps<ModuleOp>())
    if (nested.getName() == "kernels")
      return nested;
  auto builder = OpBuilder::atBlockEnd(module.getBody());
  return ModuleOp::create(builder, module.getLoc(), "kernels");
}

void collectLayers(Location location, llvm::SetVector<StringRef> &layers) {
  if (auto name = dyn_cast<NameLoc>(location))
    layers.insert(name.getName());
  else if (auto call = dyn_cast<CallSiteLoc>(location))
    collectLayers(call.getCallee(), layers);
  else if (auto fused = dyn_cast<FusedLoc>(location))
    for (Location part : fused.getLocations())
      collectLayers(part, layers);
}

/// The argument of the variable that `value` updates, if that is all it is needed for outside.
static BlockArgument updatedVariable(Value value, llvm::function_ref<bool(Operation *)> inside) {
  auto uses = llvm::make_filter_range(value.getUses(),
                                      [&](OpOperand &use) { return !inside(use.getOwner()); });
  if (!llvm::hasSingleElement(uses))
    return {};
  OpOperand &use = *uses.begin();
  auto function = dyn_cast<func::FuncOp>(use.getOwner()->getParentOp());
  if (!function || !use.getOwner()->hasTrait<OpTrait::IsTerminator>())
    return {};
  Attribute variable = function.getResultAttr(use.getOperandNumber(), "fw.variable");
  for (BlockArgument argument : function.getArguments())
    if (variable && function.getArgAttr(argument.getArgNumber(), "fw.variable") == variable)
      return argument;
  return {};
}

namespace {
/// What a result of the group is written to.
struct Output {
  OpResult result;
  /// The tensor the host gives.
  Value destination;
  /// The tensor.empty of the group that the kernel's argument stands for, if there is one.
  Operation *standsFor = nullptr;
  bool overwrites = true;
};

class Outliner {
public:
  Outliner(const KernelGroup &group) : group(group), members(llvm::from_range, group.ops) {}

  LaunchOp run(SymbolTable &kernels, StringRef prefix);

private:
  bool inside(Operation *op) const { return op && members.contains(op); }
  void capture(Value value, Operation *user);
  void collectCaptures();
  void collectOutputs();
  void findSizes();
  Output outputFor(OpResult result);
  bool updatesInPlace(OpResult result, BlockArgument variable);
  func::FuncOp build(SymbolTable &kernels, StringRef prefix, ArrayRef<StringRef> layers);
  void cloneBody(func::FuncOp kernel);

  const KernelGroup &group;
  llvm::SmallPtrSet<Operation *, 16> members;
  /// Ops outside the group that are cloned into the kernel.
  llvm::SetVector<Operation *> cloned;
  llvm::SetVector<Value> inputs;
  SmallVector<Output> outputs;
  /// Sizes that the kernel sees on an output: (size, number of the output, dimension).
  SmallVector<std::tuple<Value, unsigned, int64_t>> sizes;
};
} // namespace

/// Constants that a kernel holds itself: scalars, and tensors that repeat one.
static bool isCheapConstant(Operation *op) {
  auto constant = dyn_cast_or_null<arith::ConstantOp>(op);
  if (!constant)
    return false;
  auto elements = dyn_cast<ElementsAttr>(constant.getValue());
  return !elements || elements.isSplat();
}

/// A part of a tensor that has gaps in memory: kernels take the whole and find the part.
static bool isStridedPart(Operation *op) {
  auto slice = dyn_cast_or_null<tensor::ExtractSliceOp>(op);
  // A part of nothing is for the host to find.
  if (!slice || slice.getSource().getDefiningOp<tensor::EmptyOp>())
    return false;
  return hasGaps(slice, slice.getSourceType());
}

/// A tensor of which only the shape is used.
static bool isShape(Operation *op) {
  auto empty = dyn_cast_or_null<tensor::EmptyOp>(op);
  return empty && empty.getType().hasStaticShape();
}

void Outliner::capture(Value value, Operation *user) {
  Operation *definition = value.getDefiningOp();
  if (inside(definition) || (definition && user->isAncestor(definition)))
    return;
  if (auto argument = dyn_cast<BlockArgument>(value);
      argument && user->isAncestor(argument.getOwner()->getParentOp()))
    return;
  if (isStridedPart(definition))
    for (Value operand : definition->getOperands())
      capture(operand, definition);
  if (isCheapConstant(definition) || isStridedPart(definition) || isShape(definition))
    cloned.insert(definition);
  else
    inputs.insert(value);
}

void Outliner::collectCaptures() {
  for (Operation *op : group.ops)
    op->walk([&](Operation *nested) {
      for (Value operand : nested->getOperands())
        capture(operand, op);
    });
}

/// Whether `result` may overwrite the variable while the group runs: nothing but the op that
/// computes it reads the variable, and that op reads each element just where it writes it.
bool Outliner::updatesInPlace(OpResult result, BlockArgument variable) {
  auto producer = dyn_cast<linalg::LinalgOp>(result.getOwner());
  if (!producer || producer.getNumParallelLoops() != producer.getNumLoops())
    return false;
  AffineMap written = producer.getIndexingMapMatchingResult(result);
  for (OpOperand &use : variable.getUses()) {
    Operation *reader = result.getOwner()->getBlock()->findAncestorOpInBlock(*use.getOwner());
    if (cloned.contains(reader))
      return false;
    if (!inside(reader))
      continue;
    if (use.getOwner() != producer || producer.getMatchingIndexingMap(&use) != written)
      return false;
  }
  return true;
}

/// Follows initial values from `result` up to the tensor.empty it starts from.
static Operation *emptyBehind(OpResult result, llvm::function_ref<bool(Operation *)> inside) {
  auto op = dyn_cast<DestinationStyleOpInterface>(result.getOwner());
  while (op && inside(op)) {
    Value initial = op.getTiedOpOperand(result)->get();
    auto next = dyn_cast<OpResult>(initial);
    if (!next)
      return nullptr;
    if (isa<tensor::EmptyOp>(next.getOwner()))
      return next.getOwner();
    // What stands between must be the group's alone: a fill.
    if (!isa<linalg::FillOp>(next.getOwner()) || !next.hasOneUse())
      return nullptr;
    result = next;
    op = dyn_cast<DestinationStyleOpInterface>(next.getOwner());
  }
  return nullptr;
}

Output Outliner::outputFor(OpResult result) {
  Output output{result, Value()};
  auto isInside = [&](Operation *op) { return inside(op); };
  output.standsFor = emptyBehind(result, isInside);
  if (BlockArgument variable = updatedVariable(result, isInside);
      variable && variable.getType() == result.getType() && updatesInPlace(result, variable)) {
    output.destination = variable;
    output.overwrites = !inputs.contains(variable);
    inputs.remove(variable);
    return output;
  }
  if (output.standsFor)
    return output;
  auto op = dyn_cast<DestinationStyleOpInterface>(result.getOwner());
  Value initial = op ? op.getTiedOpOperand(result)->get() : Value();
  if (initial && inputs.contains(initial) && isa<tensor::InsertSliceOp, linalg::LinalgOp>(*op)) {
    output.destination = initial;
    output.overwrites = false;
    inputs.remove(initial);
  }
  return output;
}

void Outliner::collectOutputs() {
  for (Operation *op : group.ops)
    for (OpResult result : op->getResults())
      if (llvm::any_of(result.getUsers(), [&](Operation *user) {
            return !inside(user->getBlock() == op->getBlock()
                               ? user
                               : op->getBlock()->findAncestorOpInBlock(*user));
          }))
        outputs.push_back(outputFor(result));
}

/// The output and dimension that have `size` by construction.
static std::optional<std::pair<unsigned, int64_t>> dimensionOf(Value size,
                                                               ArrayRef<Output> outputs) {
  for (auto [number, output] : llvm::enumerate(outputs))
    if (auto empty = dyn_cast_or_null<tensor::EmptyOp>(output.standsFor))
      for (int64_t i = 0; i < empty.getType().getRank(); ++i)
        if (empty.getType().isDynamicDim(i) && empty.getDynamicSize(i) == size)
          return std::pair(unsigned(number), i);
  return std::nullopt;
}

/// Takes sizes off the inputs where a buffer tells them: loops then have one bound, not two that
/// nothing shows to be equal.
void Outliner::findSizes() {
  for (Value input : llvm::to_vector(inputs))
    if (auto found = dimensionOf(input, outputs)) {
      sizes.push_back({input, found->first, found->second});
      inputs.remove(input);
    }
}

/// A name that C and LLVM accept.
static std::string identifier(StringRef text) {
  std::string name;
  for (char c : text)
    name += llvm::isAlnum(c) ? c : '_';
  return name;
}

func::FuncOp Outliner::build(SymbolTable &kernels, StringRef prefix, ArrayRef<StringRef> layers) {
  MLIRContext *context = kernels.getOp()->getContext();
  SmallVector<Type> types, results;
  for (Value input : inputs)
    types.push_back(input.getType());
  for (const Output &output : outputs)
    results.push_back(output.result.getType());
  llvm::append_range(types, results);

  std::string name = identifier(prefix);
  if (!layers.empty())
    name.append("_").append(identifier(layers.front()));
  auto locations = llvm::map_to_vector(group.ops, [](Operation *op) { return op->getLoc(); });
  auto kernel = func::FuncOp::create(FusedLoc::get(context, locations), name,
                                     FunctionType::get(context, types, results));
  kernel.setPrivate();
  kernel->setAttr("fw.kernel", StringAttr::get(context, group.kind));
  kernel->setAttr("fw.layers", Builder(context).getStrArrayAttr(layers));
  for (auto [i, output] : llvm::enumerate(outputs))
    if (!output.overwrites)
      kernel.setArgAttr(inputs.size() + i, "fw.reads", UnitAttr::get(context));
  for (auto [i, input] : llvm::enumerate(inputs))
    if (auto insert = input.getDefiningOp<tensor::InsertSliceOp>())
      if (Attribute border = insert->getAttr(zeroBorderAttr))
        kernel.setArgAttr(i, zeroBorderAttr, border);
  kernels.insert(kernel);
  return kernel;
}

void Outliner::cloneBody(func::FuncOp kernel) {
  Block *body = kernel.addEntryBlock();
  auto builder = OpBuilder::atBlockEnd(body);
  IRMapping mapping;
  for (auto [input, argument] : llvm::zip(inputs, body->getArguments()))
    mapping.map(input, argument);
  for (auto [output, argument] :
       llvm::zip_equal(outputs, body->getArguments().drop_front(inputs.size()))) {
    if (output.standsFor)
      mapping.map(output.standsFor->getResult(0), argument);
    if (output.destination && !output.overwrites)
      mapping.map(output.destination, argument);
  }
  for (auto [size, number, dimension] : sizes)
    mapping.map(size, tensor::DimOp::create(builder, kernel.getLoc(),
                                            body->getArgument(inputs.size() + number), dimension));
  for (Operation *op : cloned)
    builder.clone(*op, mapping);
  for (Operation *op : group.ops)
    if (!op->getNumResults() || !mapping.contains(op->getResult(0)))
      builder.clone(*op, mapping);
  SmallVector<Value> results;
  for (auto [i, output] : llvm::enumerate(outputs)) {
    Value value = mapping.lookup(output.result);
    BlockArgument argument = body->getArgument(inputs.size() + i);
    // No op of the group writes it in destination style: a pad, or a value returned twice.
    if (!output.standsFor && (output.overwrites || value == argument))
      value = linalg::CopyOp::create(builder, value.getLoc(), value, argument).getResult(0);
    results.push_back(value);
  }
  func::ReturnOp::create(builder, kernel.getLoc(), results);
}

/// The tensor that the host gives for `output` to be written to.
static Value destinationOnHost(OpBuilder &builder, const Output &output) {
  if (output.destination)
    return output.destination;
  if (output.standsFor)
    return builder.clone(*output.standsFor)->getResult(0);
  Operation *op = output.result.getOwner();
  ReifiedRankedShapedTypeDims shapes;
  LogicalResult reified = reifyResultShapes(builder, op, shapes);
  assert(succeeded(reified) && "an op of a kernel says how large its results are");
  (void)reified;
  return tensor::EmptyOp::create(builder, op->getLoc(), shapes[output.result.getResultNumber()],
                                 getElementTypeOrSelf(output.result.getType()));
}

LaunchOp Outliner::run(SymbolTable &kernels, StringRef prefix) {
  collectCaptures();
  collectOutputs();
  findSizes();
  llvm::SetVector<StringRef> layers;
  for (Operation *op : group.ops)
    collectLayers(op->getLoc(), layers);
  func::FuncOp kernel = build(kernels, prefix, layers.getArrayRef());
  cloneBody(kernel);

  OpBuilder builder(group.ops.back());
  SmallVector<Value> destinations;
  SmallVector<bool> overwrites;
  for (Output &output : outputs) {
    destinations.push_back(destinationOnHost(builder, output));
    overwrites.push_back(output.overwrites);
  }
  auto reference = SymbolRefAttr::get(cast<ModuleOp>(kernels.getOp()).getSymNameAttr(),
                                      {FlatSymbolRefAttr::get(kernel)});
  auto launch = LaunchOp::create(builder, kernel.getLoc(), kernel.getResultTypes(), reference,
                                 inputs.getArrayRef(), destinations, overwrites);
  for (auto [output, value] : llvm::zip_equal(outputs, launch.getValues()))
    output.result.replaceAllUsesWith(value);
  for (Operation *op : llvm::reverse(group.ops))
    op->erase();
  return launch;
}

LaunchOp outline(const KernelGroup &group, SymbolTable &kernels, StringRef prefix) {
  return Outliner(group).run(kernels, prefix);
}

} // namespace formwork
