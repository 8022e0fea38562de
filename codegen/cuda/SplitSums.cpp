// fw-cuda-split-sums: a long sum with few results becomes two kernels, while memory is not planned
// yet: partial sums over some of the dimensions, side by side, and the sum of those. Few results
// would occupy few of a GPU's processors.
//
// Which dimensions depends on shapes alone, and so do the bits of the result. Refuses nothing: what
// it cannot take apart stays one kernel.
#include "codegen/cuda/Passes.h"
#include "codegen/cuda/Schedule.h"
#include "ir/Dialect.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_CUDASPLITSUMS
#include "codegen/cuda/Passes.h.inc"

namespace cuda {

/// Blocks that occupy a GPU, and what is too short to be worth a kernel of its own.
static constexpr int64_t blocksWanted = 132, shortSum = 512, shortPart = 32;
/// What partial sums may take, in elements.
static constexpr int64_t mostPartials = 4 << 20;

namespace {
/// A kernel's sum, and the loops over which partial sums are side by side.
struct Split {
  linalg::GenericOp sum;
  SmallVector<unsigned> loops;
  /// Where the size of each of these loops is found: an input of the kernel and its dimension.
  SmallVector<std::pair<unsigned, int64_t>> sizes;
  /// Ops that the sum's operands come from, in order.
  llvm::SetVector<Operation *> before;
};

class Splitter {
public:
  explicit Splitter(func::FuncOp function)
      : function(function), kernel(function),
        inputs(function.getNumArguments() - function.getNumResults()) {}

  std::optional<Split> find();
  func::FuncOp writeParts(Split &split);
  void sumParts(Split &split);

private:
  bool collect(Value value, Split &split);
  bool chooseLoops(Split &split);
  int64_t blocks(linalg::GenericOp sum);

  func::FuncOp function;
  Kernel kernel;
  unsigned inputs;
};
} // namespace

//===--- which -----------------------------------------------------------------------------------

/// What `value` is computed from; false if that is more than inputs.
bool Splitter::collect(Value value, Split &split) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return argument.getArgNumber() < inputs;
  Operation *op = value.getDefiningOp();
  if (split.before.contains(op))
    return true;
  if (op->getBlock() != &function.front() || op->getNumResults() != 1 || isa<tensor::DimOp>(op))
    return false;
  SmallVector<Value> read(op->getOperands());
  if (auto generic = dyn_cast<linalg::GenericOp>(op)) {
    auto type = cast<RankedTensorType>(generic.getResult(0).getType());
    if (isReduction(generic) || !type.hasStaticShape() ||
        generic.payloadUsesValueFromOperand(generic.getDpsInitOperand(0)))
      return false;
    read.assign(generic.getInputs().begin(), generic.getInputs().end());
  }
  op->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      if (operand.getParentBlock() == &function.front() && inner != op)
        read.push_back(operand);
  });
  for (Value operand : read)
    if (!collect(operand, split))
      return false;
  split.before.insert(op);
  return true;
}

/// About as many as it has when it is not split.
int64_t Splitter::blocks(linalg::GenericOp sum) {
  int64_t results = iterations(kernel, kernel.parallel(sum));
  return llvm::divideCeil(results, isMultiplyAdd(sum) ? 32 * 32 : 8);
}

/// The outermost dimensions, until there is enough to do side by side.
bool Splitter::chooseLoops(Split &split) {
  Dims reduced = kernel.reduced(split.sum);
  int64_t side = 1, length = iterations(kernel, reduced);
  int64_t results = iterations(kernel, kernel.parallel(split.sum));
  if (length < shortSum)
    return false;
  for (auto [loop, dim] : llvm::enumerate(kernel.loops(split.sum))) {
    int64_t size = iterations(kernel, dim);
    if (!contains(reduced, dim) || size < 2 || side * blocks(split.sum) >= blocksWanted ||
        length / size < shortPart || results * side * size > mostPartials)
      continue;
    for (OpOperand *operand : split.sum.getDpsInputOperands()) {
      auto argument = dyn_cast<BlockArgument>(operand->get());
      AffineMap map = split.sum.getMatchingIndexingMap(operand);
      auto axis = map.getResultPosition(getAffineDimExpr(loop, map.getContext()));
      if (!argument || !axis)
        continue;
      split.loops.push_back(loop);
      split.sizes.push_back({argument.getArgNumber(), *axis});
      side *= size, length /= size;
      break;
    }
  }
  return !split.loops.empty();
}

std::optional<Split> Splitter::find() {
  Split split;
  for (linalg::GenericOp op : kernel.getOps()) {
    if (!isReduction(op))
      continue;
    if (split.sum || !combinerOf(op) || !arith::getNeutralElement(combinerOf(op)))
      return std::nullopt;
    split.sum = op;
  }
  if (!split.sum || !cast<RankedTensorType>(split.sum.getResult(0).getType()).hasStaticShape() ||
      !chooseLoops(split))
    return std::nullopt;
  bool reads = true;
  for (Value operand : split.sum.getInputs())
    reads &= collect(operand, split);
  split.sum->walk([&](Operation *inner) {
    for (Value operand : inner->getOperands())
      if (inner != split.sum && operand.getParentBlock() == &function.front())
        reads &= collect(operand, split);
  });
  return reads ? std::optional(std::move(split)) : std::nullopt;
}

//===--- two kernels -----------------------------------------------------------------------------

/// The split dimensions, then those of the result.
static RankedTensorType partsType(Split &split) {
  auto result = cast<RankedTensorType>(split.sum.getResult(0).getType());
  SmallVector<int64_t> shape;
  for (unsigned loop : split.loops)
    shape.push_back(split.sum.getStaticLoopRanges()[loop]);
  llvm::append_range(shape, result.getShape());
  return result.clone(shape);
}

func::FuncOp Splitter::writeParts(Split &split) {
  RankedTensorType parts = partsType(split);
  SmallVector<Type> types(function.getArgumentTypes().take_front(inputs));
  types.push_back(parts);
  OpBuilder builder(function);
  Location location = split.sum.getLoc();
  auto written = func::FuncOp::create(builder, location, (function.getName() + "_parts").str(),
                                      builder.getFunctionType(types, parts));
  written.setPrivate();
  for (NamedAttribute attribute : function->getDiscardableAttrs())
    written->setDiscardableAttr(attribute.getName(), attribute.getValue());
  builder.setInsertionPointToStart(written.addEntryBlock());
  IRMapping values;
  for (unsigned i = 0; i < inputs; ++i)
    values.map(function.getArgument(i), written.getArgument(i));
  for (Operation *op : split.before) {
    if (auto generic = dyn_cast<linalg::GenericOp>(op)) {
      Value init = generic.getDpsInits()[0];
      values.map(init, tensor::EmptyOp::create(builder, location,
                                               cast<RankedTensorType>(init.getType()).getShape(),
                                               getElementTypeOrSelf(init.getType()))
                           .getResult());
    }
    builder.clone(*op, values);
  }
  Value neutral = arith::ConstantOp::create(builder, location,
                                            *arith::getNeutralElement(combinerOf(split.sum)));
  Value start = linalg::FillOp::create(builder, location, neutral, written.getArguments().back())
                    .getResult(0);
  auto sum = cast<linalg::GenericOp>(builder.clone(*split.sum, values));
  sum.getDpsInitsMutable().assign(start);
  sum.getResult(0).setType(parts);
  SmallVector<AffineMap> maps = sum.getIndexingMapsArray();
  SmallVector<AffineExpr> places;
  SmallVector<utils::IteratorType> kinds = sum.getIteratorTypesArray();
  for (unsigned loop : split.loops) {
    places.push_back(builder.getAffineDimExpr(loop));
    kinds[loop] = utils::IteratorType::parallel;
  }
  llvm::append_range(places, maps.back().getResults());
  maps.back() = AffineMap::get(maps.back().getNumDims(), 0, places, builder.getContext());
  sum.setIndexingMapsAttr(builder.getAffineMapArrayAttr(maps));
  SmallVector<Attribute> attributes = llvm::map_to_vector(kinds, [&](auto kind) -> Attribute {
    return linalg::IteratorTypeAttr::get(builder.getContext(), kind);
  });
  sum.setIteratorTypesAttr(builder.getArrayAttr(attributes));
  func::ReturnOp::create(builder, location, sum.getResult(0));
  return written;
}

/// The kernel takes partial sums as its last input, and adds them up instead.
void Splitter::sumParts(Split &split) {
  RankedTensorType parts = partsType(split);
  (void)function.insertArgument(inputs, parts, {}, split.sum.getLoc());
  OpBuilder builder(split.sum);
  unsigned outer = split.loops.size(), rank = parts.getRank();
  SmallVector<AffineExpr> inner;
  for (unsigned loop = outer; loop < rank; ++loop)
    inner.push_back(builder.getAffineDimExpr(loop));
  AffineMap maps[] = {builder.getMultiDimIdentityMap(rank),
                      AffineMap::get(rank, 0, inner, builder.getContext())};
  SmallVector<utils::IteratorType> kinds(rank, utils::IteratorType::parallel);
  std::fill_n(kinds.begin(), outer, utils::IteratorType::reduction);
  Operation *combiner = combinerOf(split.sum);
  auto total = linalg::GenericOp::create(
      builder, split.sum.getLoc(), split.sum.getResultTypes(),
      ValueRange(function.getArgument(inputs)), ValueRange(split.sum.getDpsInits()[0]), maps, kinds,
      [&](OpBuilder &body, Location location, ValueRange elements) {
        OperationState state(location, combiner->getName());
        state.addOperands({elements[1], elements[0]});
        state.addTypes(elements[0].getType());
        state.attributes = combiner->getAttrDictionary().getValue();
        linalg::YieldOp::create(body, location, body.create(state)->getResult(0));
      });
  split.sum.replaceAllUsesWith(total);
  split.sum.erase();
}

/// Launches the parts first, then what sums them.
static void launchBoth(LaunchOp launch, func::FuncOp parts, const Split &split) {
  OpBuilder builder(launch);
  auto type = cast<RankedTensorType>(parts.getResultTypes().front());
  SmallVector<Value> sizes;
  for (auto [i, place] : llvm::enumerate(split.sizes))
    if (type.isDynamicDim(i))
      sizes.push_back(tensor::DimOp::create(builder, launch.getLoc(),
                                            launch.getInputs()[place.first], place.second));
  Value empty = tensor::EmptyOp::create(builder, launch.getLoc(), type, sizes);
  auto name = SymbolRefAttr::get(launch.getKernel().getRootReference(),
                                 FlatSymbolRefAttr::get(parts.getNameAttr()));
  auto first = LaunchOp::create(builder, launch.getLoc(), TypeRange(type), name, launch.getInputs(),
                                ValueRange(empty), builder.getDenseBoolArrayAttr(true));
  SmallVector<Value> inputs(launch.getInputs());
  inputs.push_back(first.getResult(0));
  auto second =
      LaunchOp::create(builder, launch.getLoc(), launch.getResultTypes(), launch.getKernel(),
                       inputs, launch.getOutputs(), launch.getOverwritesAttr());
  launch.replaceAllUsesWith(second);
  launch.erase();
}

static LogicalResult splitAll(ModuleOp module) {
  llvm::StringMap<SmallVector<LaunchOp>> launches;
  module.walk([&](LaunchOp launch) { launches[launch.getKernelName()].push_back(launch); });
  for (auto nested : module.getOps<ModuleOp>()) {
    SymbolTable symbols(nested);
    for (auto function : llvm::to_vector(nested.getOps<func::FuncOp>())) {
      if (!function->hasAttr("fw.kernel") || function.isExternal())
        continue;
      if (failed(Kernel::normalize(function)))
        return failure();
      Splitter splitter(function);
      std::optional<Split> split = splitter.find();
      if (!split)
        continue;
      func::FuncOp parts = splitter.writeParts(*split);
      parts->remove();
      symbols.insert(parts, Block::iterator(function));
      Split found = *split;
      splitter.sumParts(*split);
      for (LaunchOp launch : launches[function.getName()])
        launchBoth(launch, parts, found);
    }
  }
  return success();
}

} // namespace cuda

namespace {
struct CUDASplitSums : impl::CUDASplitSumsBase<CUDASplitSums> {
  void runOnOperation() override {
    if (failed(cuda::splitAll(getOperation())))
      signalPassFailure();
  }
};
} // namespace

} // namespace formwork
