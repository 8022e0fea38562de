// Adds the entries that differentiate with respect to the model's inputs: input_gradients, and
// loss_input_gradients where the model was compiled with a loss.
//
// Both compute as predict and evaluate_step do, in inference, and change no variable. Inputs of
// whole numbers have no gradient and are left out; refuses a model that has no others.
#include "passes/Passes.h"
#include "passes/training/EntryFunction.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_ATTACHINPUTGRADIENTS
#include "passes/Passes.h.inc"

namespace {

/// An argument or result of a function that exists, as a buffer of another role.
Buffer bufferLike(Type type, DictionaryAttr attributes, StringRef role) {
  auto symbols = attributes.getAs<DenseI64ArrayAttr>("fw.symbols");
  return {attributes.getAs<StringAttr>("fw.name").str(), role, cast<RankedTensorType>(type),
          symbols ? SmallVector<int64_t>(symbols.asArrayRef()) : SmallVector<int64_t>()};
}

bool isDifferentiable(Type type) { return isa<FloatType>(getElementTypeOrSelf(type)); }

/// Whether a loss can have a gradient with respect to this argument: it is a floating-point input.
bool isSource(func::FuncOp function, unsigned index) {
  auto role = function.getArgAttrOfType<StringAttr>(index, "fw.role");
  return role && role.getValue() == "input" && isDifferentiable(function.getArgumentTypes()[index]);
}

/// An entry that computes what `source` does, without moving variables.
class GradientEntry {
public:
  GradientEntry(func::FuncOp source, StringRef name)
      : source(source), entry(source->getParentOfType<ModuleOp>(), name) {
    for (BlockArgument argument : source.getArguments())
      map.map(argument, entry.addArgument(argument.getType(),
                                          source.getArgAttrDict(argument.getArgNumber())));
  }

  /// Appends an argument for each result's cotangent. Before the body.
  void addCotangents() {
    for (auto [index, type] : llvm::enumerate(source.getResultTypes()))
      if (isDifferentiable(type))
        cotangents.push_back(
            entry.addArgument(bufferLike(type, source.getResultAttrDict(index), "cotangent")));
  }

  void cloneBody() {
    for (Operation &op : source.front().without_terminator())
      if (!isa<AssignOp>(op))
        entry.builder().clone(op, map);
    for (Value result : source.front().getTerminator()->getOperands())
      results.push_back(map.lookupOrDefault(result));
  }

  /// The sum of the results, each weighted by its cotangent. Its gradient is the pullback.
  Value weightedSum() {
    entry.enter("input_gradients");
    ImplicitLocOpBuilder &builder = entry.builder();
    Type widest = Float32Type::get(builder.getContext());
    for (Value cotangent : cotangents)
      if (cast<FloatType>(getElementTypeOrSelf(cotangent)).getWidth() >
          widest.getIntOrFloatBitWidth())
        widest = getElementTypeOrSelf(cotangent);
    std::optional<Expr> total;
    auto cotangent = cotangents.begin();
    for (Value result : results) {
      if (!isDifferentiable(result.getType()))
        continue;
      auto axes =
          llvm::to_vector(llvm::seq<int64_t>(0, cast<ShapedType>(result.getType()).getRank()));
      Expr product = Expr(builder, result) * Expr(builder, *cotangent++);
      Expr part = castTo(axes.empty() ? product : sum(product, axes), widest);
      total = total ? *total + part : part;
    }
    return total->value();
  }

  Value result(unsigned index) { return results[index]; }

  void addResult(unsigned index) {
    entry.addResult(results[index],
                    bufferLike(results[index].getType(), source.getResultAttrDict(index), "loss"));
  }

  /// Ends the entry with d `target` / d input for each input that has one.
  void finish(Value target) {
    entry.enter("input_gradients");
    SmallVector<unsigned> indices;
    SmallVector<Value> inputs;
    for (BlockArgument argument : source.getArguments())
      if (isSource(source, argument.getArgNumber())) {
        indices.push_back(argument.getArgNumber());
        inputs.push_back(map.lookup(argument));
      }
    // An input that is not looked at has a gradient of zeros, as any other that does not matter.
    auto gradient = GradientOp::create(entry.builder(), target, /*cotangent=*/Value(), inputs,
                                       /*unconnected_zeros=*/true);
    for (auto [index, value] : llvm::zip_equal(indices, gradient.getGradients()))
      entry.addResult(value, bufferLike(value.getType(), source.getArgAttrDict(index), "gradient"));
    entry.finish();
  }

private:
  func::FuncOp source;
  EntryFunction entry;
  IRMapping map;
  SmallVector<Value> cotangents, results;
};

/// inputs, a cotangent for each output -> a gradient for each input.
void buildInputGradients(func::FuncOp predict) {
  GradientEntry entry(predict, "input_gradients");
  entry.addCotangents();
  entry.cloneBody();
  entry.finish(entry.weightedSum());
}

/// inputs, targets -> the loss, a gradient for each input.
void buildLossInputGradients(func::FuncOp evaluateStep) {
  GradientEntry entry(evaluateStep, "loss_input_gradients");
  entry.cloneBody();
  entry.addResult(0);
  entry.finish(entry.result(0));
}

LogicalResult checkDifferentiable(func::FuncOp predict) {
  bool input = llvm::any_of(llvm::seq(predict.getNumArguments()),
                            [&](unsigned index) { return isSource(predict, index); });
  if (!input)
    return predict.emitError() << "--input-gradients: no input of the model has a gradient, since "
                                  "all are of whole numbers; leave the option out";
  if (llvm::none_of(predict.getResultTypes(), isDifferentiable))
    return predict.emitError() << "--input-gradients: no output of the model has a gradient, since "
                                  "all are of whole numbers; leave the option out";
  return success();
}

struct AttachInputGradients : impl::AttachInputGradientsBase<AttachInputGradients> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto predict = module.lookupSymbol<func::FuncOp>("predict");
    if (!predict)
      return;
    if (failed(checkDifferentiable(predict)))
      return signalPassFailure();
    buildInputGradients(predict);
    if (auto evaluateStep = module.lookupSymbol<func::FuncOp>("evaluate_step"))
      buildLossInputGradients(evaluateStep);
  }
};
} // namespace

} // namespace formwork
