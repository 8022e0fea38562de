// Rewrites a module as the front end left it: see Variants.h.
#include "tools/verify/Variants.h"

#include "ir/Dialect.h"
#include "ir/Retyping.h"
#include "passes/training/Masks.h"

#include "mlir/IR/AttrTypeSubElements.h"

using namespace mlir;

namespace formwork {

//===--- sizes -----------------------------------------------------------------------------------

static DenseI64ArrayAttr withoutSymbols(DenseI64ArrayAttr symbols) {
  SmallVector<int64_t> none(symbols.size(), -1);
  return DenseI64ArrayAttr::get(symbols.getContext(), none);
}

static LogicalResult fixSizes(func::FuncOp function, ArrayRef<int64_t> sizes) {
  SmallVector<Type> types;
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    auto type = cast<RankedTensorType>(function.getArgumentTypes()[i]);
    SmallVector<int64_t> shape(type.getShape());
    if (auto symbols = function.getArgAttrOfType<DenseI64ArrayAttr>(i, "fw.symbols")) {
      for (auto [size, symbol] : llvm::zip_equal(shape, symbols.asArrayRef()))
        size = symbol < 0 ? size : sizes[symbol];
      function.setArgAttr(i, "fw.symbols", withoutSymbols(symbols));
    }
    types.push_back(type.clone(shape));
  }
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    if (auto symbols = function.getResultAttrOfType<DenseI64ArrayAttr>(i, "fw.symbols"))
      function.setResultAttr(i, "fw.symbols", withoutSymbols(symbols));
  return retypeFunction(function, types);
}

LogicalResult fixSizes(ModuleOp module, ArrayRef<int64_t> sizes) {
  for (auto function : module.getOps<func::FuncOp>())
    if (failed(fixSizes(function, sizes)))
      return failure();
  module->setAttr("fw.symbols", Builder(module.getContext()).getI64IntegerAttr(0));
  return success();
}

//===--- layers ----------------------------------------------------------------------------------

/// Whether the op belongs to a layer and another layer, or the caller, reads this value.
static bool leavesItsLayer(Value value) {
  StringRef layer = layerName(value.getLoc());
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return !layer.empty() && type && isa<FloatType>(type.getElementType()) &&
         llvm::any_of(value.getUsers(),
                      [&](Operation *user) { return layerName(user->getLoc()) != layer; });
}

/// An output for `value`, called like its layer; of several, the later ones have a number.
static void addOutput(func::FuncOp predict, Value value, llvm::StringMap<int> &taken) {
  Builder builder(predict.getContext());
  std::string name = layerName(value.getLoc()).str();
  while (taken[name]++)
    name += "#" + std::to_string(taken[name]);
  SmallVector<int64_t> none(cast<RankedTensorType>(value.getType()).getRank(), -1);
  auto attributes = builder.getDictionaryAttr(
      {builder.getNamedAttr("fw.name", builder.getStringAttr(name)),
       builder.getNamedAttr("fw.role", builder.getStringAttr("output")),
       builder.getNamedAttr("fw.symbols", builder.getDenseI64ArrayAttr(none))});
  (void)predict.insertResult(predict.getNumResults(), value.getType(), attributes);
}

std::vector<std::string> exposeLayers(ModuleOp module) {
  auto predict = module.lookupSymbol<func::FuncOp>("predict");
  dropMasks(predict);
  Operation *end = predict.front().getTerminator();
  llvm::SetVector<Value> values(end->getOperands().begin(), end->getOperands().end());
  llvm::StringMap<int> taken;
  for (unsigned i = 0; i < predict.getNumResults(); ++i)
    taken[predict.getResultAttrOfType<StringAttr>(i, "fw.name").getValue()] = 1;
  SmallVector<Value> outputs(end->getOperands());
  for (Operation &op : predict.front().without_terminator())
    for (Value value : op.getResults())
      if (leavesItsLayer(value) && values.insert(value)) {
        addOutput(predict, value, taken);
        outputs.push_back(value);
      }
  end->setOperands(outputs);
  std::vector<std::string> layers;
  for (Value value : outputs)
    layers.push_back(layerName(value.getLoc()).str());
  return layers;
}

//===--- precision -------------------------------------------------------------------------------

static APFloat wide(APFloat value) {
  bool exact;
  value.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &exact);
  return value;
}

void widen(ModuleOp module) {
  Type f64 = Float64Type::get(module.getContext());
  AttrTypeReplacer replacer;
  replacer.addReplacement([=](Float32Type) { return f64; });
  replacer.addReplacement([=](FloatAttr attribute) -> std::optional<Attribute> {
    if (!attribute.getType().isF32())
      return std::nullopt;
    return FloatAttr::get(f64, wide(attribute.getValue()));
  });
  replacer.addReplacement([=](DenseFPElementsAttr attribute) -> std::optional<Attribute> {
    if (!attribute.getElementType().isF32())
      return std::nullopt;
    return attribute.mapValues(f64,
                               [](const APFloat &value) { return wide(value).bitcastToAPInt(); });
  });
  replacer.recursivelyReplaceElementsIn(module, /*replaceAttrs=*/true, /*replaceLocs=*/false,
                                        /*replaceTypes=*/true);
}

} // namespace formwork
