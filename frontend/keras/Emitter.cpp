// Walks a graph and has each layer emit its call; then declares the variables that came up.
#include "frontend/keras/Emitter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace formwork::keras {

// A model inside a model inside a model, each used twice: a small file could ask for any number.
static constexpr unsigned mostCalls = 20'000;

/// Builds one function.
class FunctionEmitter {
public:
  FunctionEmitter(ModuleState &state, bool training) : state(state), training(training) {}

  func::FuncOp emit(ModuleOp module, const Graph &graph, StringRef name);

private:
  ModuleState &state;
  bool training;
  OpBuilder builder{&state.context};

  using Outputs = std::vector<Tensor>; // those that could not be built have no value

  std::vector<Tensor> declareInputs(const Graph &graph, Block &body);
  using Values = std::map<std::pair<unsigned, unsigned>, Outputs>; // by layer and call
  static void clearMasks(const Call &call, Values &values);
  Outputs emitGraph(const Graph &graph, std::vector<Tensor> inputs);
  Outputs emitCall(const Layer &layer, CallOperands operands);
  Outputs emitModel(const Layer &layer, CallOperands operands);
  FailureOr<std::vector<Tensor>> matchInputs(const Layer &layer, CallOperands operands);
  void giveMasks(const Layer &layer, LayerCall &call, Outputs &outputs);
  LogicalResult checkInput(const Layer &layer, const Layer &input, const Tensor &tensor);
  Value cast(Value value, Type element, Location location);
  Location locationOf(const Layer &layer);
};

//===--- locations and types ---------------------------------------------------------------------

static Location layerLocation(ModuleState &state, const Layer &layer) {
  return NameLoc::get(StringAttr::get(&state.context, layer.name),
                      state.diagnostics.locate(*layer.object));
}

Location FunctionEmitter::locationOf(const Layer &layer) { return layerLocation(state, layer); }

static int64_t sizeOf(const Json &size) { return size.integer().value_or(ShapedType::kDynamic); }

static RankedTensorType inputTensorType(const Layer &input) {
  SmallVector<int64_t> shape;
  for (const Json &size : *input.batchShape->array())
    shape.push_back(sizeOf(size));
  return RankedTensorType::get(shape, input.inputType);
}

Value FunctionEmitter::cast(Value value, Type element, Location location) {
  auto type = ::cast<RankedTensorType>(value.getType());
  if (type.getElementType() == element)
    return value;
  return CastOp::create(builder, location, value, element);
}

//===--- models ----------------------------------------------------------------------------------

/// Keras's MultiHeadAttention takes them off its query, value and key.
void FunctionEmitter::clearMasks(const Call &call, Values &values) {
  auto clear = [&](const std::vector<TensorRef> &tensors) {
    for (const TensorRef &ref : tensors)
      if (Outputs &known = values[{ref.layer, ref.node}]; ref.tensor < known.size())
        known[ref.tensor].mask = {};
  };
  clear(call.inputs);
  for (const CallArgument &argument : call.further)
    if (argument.name == "value" || argument.name == "key")
      clear(argument.tensors);
}

FunctionEmitter::Outputs FunctionEmitter::emitGraph(const Graph &graph,
                                                    std::vector<Tensor> inputs) {
  Values values;
  for (auto [port, tensor] : llvm::zip_equal(graph.inputs, inputs))
    values[{port.tensor.layer, 0}] = {tensor};
  auto lookUp = [&](const TensorRef &ref) {
    const Outputs &known = values[{ref.layer, ref.node}];
    if (ref.tensor < known.size())
      return known[ref.tensor];
    const Layer &layer = graph.layers[ref.layer];
    if (!known.empty()) // else it could not be built, which has been said
      (void)state.diagnostics.addLayer(
          *layer.object, layer.name, layer.className,
          llvm::formatv("its tensor {0} is used, but it returns {1}", ref.tensor, known.size()));
    return Tensor();
  };
  for (const Call &call : graph.calls) {
    const Layer &layer = graph.layers[call.layer];
    CallOperands operands{{}, call.keys, call.isList, {}, {}};
    bool complete = true;
    auto read = [&](const TensorRef &ref, std::vector<Tensor> &into) {
      into.push_back(lookUp(ref));
      complete &= bool(into.back().value);
    };
    for (const TensorRef &input : call.inputs)
      read(input, operands.inputs);
    for (const CallArgument &argument : call.further) {
      if (argument.literal)
        operands.literals[argument.name] = argument.literal;
      for (const TensorRef &tensor : argument.tensors)
        read(tensor, operands.further[argument.name]);
    }
    Outputs outputs;
    if (complete && ++state.calls == mostCalls)
      (void)state.diagnostics.addLayer(
          *layer.object, layer.name, layer.className,
          llvm::formatv("the models inside this model expand to more than {0} calls of layers",
                        mostCalls));
    if (complete && state.calls < mostCalls)
      outputs = emitCall(layer, std::move(operands));
    if (llvm::all_of(outputs, [](const Tensor &t) { return bool(t.value); }))
      state.recordOutputs(layer, outputs);
    values[{call.layer, call.node}] = std::move(outputs);
    if (layer.kind && layer.kind->clearsMasks)
      clearMasks(call, values);
  }
  Outputs outputs;
  for (const Port &port : graph.outputs)
    outputs.push_back(lookUp(port.tensor));
  return outputs;
}

/// A model takes a dictionary by names, anything else by position.
FailureOr<std::vector<Tensor>> FunctionEmitter::matchInputs(const Layer &layer,
                                                            CallOperands operands) {
  std::vector<Tensor> &inputs = operands.inputs;
  const std::vector<Port> &ports = layer.model->inputs;
  auto fail = [&](std::string message) {
    return state.diagnostics.addLayer(*layer.object, layer.name, layer.className,
                                      std::move(message));
  };
  if (operands.keys.empty()) {
    if (inputs.size() == ports.size())
      return std::move(inputs);
    return fail("it is called with " + std::to_string(inputs.size()) + " tensors, but has " +
                std::to_string(ports.size()) + " inputs");
  }
  std::vector<Tensor> matched;
  for (const Port &port : ports) {
    auto key = llvm::find(operands.keys, port.name);
    if (key == operands.keys.end())
      return fail("it is called with a dictionary that has nothing for its input " +
                  quoted(port.name));
    matched.push_back(inputs[key - operands.keys.begin()]);
  }
  return matched;
}

LogicalResult FunctionEmitter::checkInput(const Layer &layer, const Layer &input,
                                          const Tensor &tensor) {
  RankedTensorType expected = inputTensorType(input);
  bool fits = expected.getRank() == tensor.rank();
  for (int64_t i = 0; fits && i < tensor.rank(); ++i)
    fits = expected.isDynamicDim(i) || expected.getDimSize(i) == tensor.size(i);
  if (fits)
    return success();
  return state.diagnostics.addLayer(*layer.object, layer.name, layer.className,
                                    "its input " + quoted(input.name) + " should have shape " +
                                        shapeText(expected.getShape()) + ", but is given " +
                                        shapeText(tensor.type().getShape()));
}

FunctionEmitter::Outputs FunctionEmitter::emitModel(const Layer &layer, CallOperands operands) {
  ImplicitLocOpBuilder here(locationOf(layer), builder);
  for (auto [input, mask] : llvm::zip(operands.inputs, operands.further["mask"]))
    input.mask = asMask(here, mask);
  FailureOr<std::vector<Tensor>> matched = matchInputs(layer, std::move(operands));
  if (failed(matched))
    return {};
  for (auto [port, tensor] : llvm::zip_equal(layer.model->inputs, *matched)) {
    const Layer &input = layer.model->layers[port.tensor.layer];
    if (failed(checkInput(layer, input, tensor)))
      return {};
    tensor.value = cast(tensor.value, input.inputType, locationOf(input));
  }
  return emitGraph(*layer.model, std::move(*matched));
}

/// What becomes of the first input's mask, unless the layer has seen to that.
void FunctionEmitter::giveMasks(const Layer &layer, LayerCall &call, Outputs &outputs) {
  if (layer.kind->mask == MaskRule::own)
    return;
  for (Tensor &output : outputs)
    output.mask = {};
  if (layer.kind->mask == MaskRule::pass)
    outputs.front().mask = call.passedMask();
}

FunctionEmitter::Outputs FunctionEmitter::emitCall(const Layer &layer, CallOperands operands) {
  if (layer.model)
    return emitModel(layer, std::move(operands));
  Location location = locationOf(layer);
  auto autocast = [&](std::vector<Tensor> &tensors) {
    for (Tensor &tensor : tensors)
      if (tensor.isFloat() && layer.dtype)
        tensor.value = cast(tensor.value, layer.dtype, location);
  };
  autocast(operands.inputs);
  for (auto &[name, tensors] : operands.further)
    autocast(tensors);
  ImplicitLocOpBuilder here(location, builder);
  LayerCall call(state, layer, state.stateOf(layer), here, std::move(operands), training,
                 [this](const Layer &inner, CallOperands inputs) {
                   return emitCall(inner, std::move(inputs));
                 });
  FailureOr<Tensor> output = layer.kind->build(call);
  if (failed(output))
    return {};
  Outputs outputs{*output};
  llvm::append_range(outputs, call.furtherOutputs);
  if (!layer.kind->regularizesParts)
    for (const Tensor &each : outputs)
      if (failed(call.regularize(each)))
        return {};
  giveMasks(layer, call, outputs);
  return outputs;
}

//===--- functions -------------------------------------------------------------------------------

std::vector<Tensor> FunctionEmitter::declareInputs(const Graph &graph, Block &body) {
  std::vector<Tensor> tensors;
  for (const Port &port : graph.inputs) {
    const Layer &input = graph.layers[port.tensor.layer];
    RankedTensorType type = inputTensorType(input);
    Tensor tensor{body.addArgument(type, locationOf(input)), {}};
    tensor.symbols = state.inputSymbols(port.name, type.getShape());
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

func::FuncOp FunctionEmitter::emit(ModuleOp module, const Graph &graph, StringRef name) {
  state.calls = 0;
  auto function = func::FuncOp::create(module.getLoc(), name, builder.getFunctionType({}, {}));
  module.push_back(function);
  Block &body = *function.addEntryBlock();
  builder.setInsertionPointToEnd(&body);
  std::vector<Tensor> inputs = declareInputs(graph, body);
  Outputs outputs = emitGraph(graph, inputs);

  auto describe = [&](const Port &port, StringRef role, const Tensor &tensor) {
    return NamedAttrList(
        {builder.getNamedAttr("fw.name", builder.getStringAttr(port.name)),
         builder.getNamedAttr("fw.role", builder.getStringAttr(role)),
         builder.getNamedAttr("fw.symbols", builder.getDenseI64ArrayAttr(tensor.symbols))});
  };
  SmallVector<Value> results;
  SmallVector<Attribute> argumentAttributes, resultAttributes;
  for (auto [port, input] : llvm::zip_equal(graph.inputs, inputs))
    argumentAttributes.push_back(describe(port, "input", input).getDictionary(&state.context));
  for (auto [port, output] : llvm::zip_equal(graph.outputs, outputs)) {
    if (!output.value)
      return nullptr;
    results.push_back(output.value);
    resultAttributes.push_back(describe(port, "output", output).getDictionary(&state.context));
  }
  for (auto [port, output] : llvm::zip_equal(graph.outputs, outputs))
    if (output.mask) {
      Tensor mask{output.mask, output.symbols};
      mask.symbols.truncate(mask.rank());
      results.push_back(mask.value);
      resultAttributes.push_back(describe(port, "mask", mask).getDictionary(&state.context));
    }
  func::ReturnOp::create(builder, module.getLoc(), results);
  function.setType(
      builder.getFunctionType(body.getArgumentTypes(), ValueRange(results).getTypes()));
  function.setAllArgAttrs(argumentAttributes);
  function.setAllResultAttrs(resultAttributes);
  return function;
}

/// Numbers the symbols that are left after unification, in the order of the inputs, and refuses
/// outputs whose sizes no symbol is.
static void numberSymbols(ModuleState &state, ModuleOp module, const Graph &graph) {
  Builder builder(&state.context);
  std::map<int64_t, int64_t> numbers;
  auto number = [&](DictionaryAttr attributes) {
    SmallVector<Attribute> symbols;
    NamedAttrList list(attributes);
    SmallVector<int64_t> numbered;
    for (int64_t symbol : cast<DenseI64ArrayAttr>(attributes.get("fw.symbols")).asArrayRef()) {
      int64_t root = state.find(symbol);
      numbered.push_back(root < 0 ? root : numbers.try_emplace(root, numbers.size()).first->second);
    }
    list.set("fw.symbols", builder.getDenseI64ArrayAttr(numbered));
    return list.getDictionary(&state.context);
  };
  for (auto function : module.getOps<func::FuncOp>()) {
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      function.setArgAttrs(i, number(function.getArgAttrDict(i)));
    for (unsigned i = 0; i < function.getNumResults(); ++i) {
      DictionaryAttr attributes = number(function.getResultAttrDict(i));
      function.setResultAttrs(i, attributes);
      auto symbols = cast<DenseI64ArrayAttr>(attributes.get("fw.symbols")).asArrayRef();
      if (i >= graph.outputs.size()) // a mask, of an output that has been checked
        continue;
      const Layer &layer = graph.layers[graph.outputs[i].tensor.layer];
      if (function.isPublic() && llvm::is_contained(symbols, int64_t(derivedSize)))
        (void)state.diagnostics.addLayer(
            *layer.object, layer.name, layer.className,
            "the shape of output " + quoted(graph.outputs[i].name) +
                " depends on unknown input sizes in a way that is not supported; give the input a "
                "fixed size");
    }
  }
  module->setAttr("fw.symbols", builder.getI64IntegerAttr(int64_t(numbers.size())));
}

/// The smallest table that each input indexes, through ops that only move or convert elements.
static void limitIndices(func::FuncOp function) {
  Builder builder(function.getContext());
  SmallVector<int64_t> limits(function.getNumArguments(), 0);
  auto restrict = [&](BlockArgument input, int64_t rows) {
    int64_t &limit = limits[input.getArgNumber()];
    limit = limit == 0 ? rows : std::min(limit, rows);
  };
  function.walk([&](GatherOp gather) {
    int64_t rows = cast<RankedTensorType>(gather.getTable().getType()).getDimSize(0);
    SmallVector<Value> work{gather.getIndices()};
    llvm::DenseSet<Value> seen; // what is joined with itself again and again has many paths
    while (!work.empty()) {
      Value value = work.pop_back_val();
      if (!seen.insert(value).second)
        continue;
      if (auto input = dyn_cast<BlockArgument>(value))
        restrict(input, rows);
      else if (isa<CastOp, ReshapeOp, TransposeOp, ConcatOp, SliceOp>(value.getDefiningOp()))
        llvm::append_range(work, value.getDefiningOp()->getOperands());
    }
  });
  for (auto [i, limit] : llvm::enumerate(limits))
    function.setArgAttr(i, "fw.limit", builder.getI64IntegerAttr(limit));
}

//===--- variables -------------------------------------------------------------------------------

static VariableOp declare(OpBuilder &builder, Location location, StringRef symbol,
                          RankedTensorType type, StringRef role, StringRef path) {
  auto variable = VariableOp::create(builder, location, symbol, type);
  variable->setAttr("role", builder.getStringAttr(role));
  variable->setAttr("path", builder.getStringAttr(path));
  return variable;
}

static void declareVariables(ModuleState &state, const Layer &layer, bool trainable,
                             OpBuilder &builder);

static void declareVariables(ModuleState &state, const Graph &graph, bool trainable,
                             OpBuilder &builder) {
  for (const Layer &layer : graph.layers)
    declareVariables(state, layer, trainable, builder);
}

static void declareVariables(ModuleState &state, const Layer &layer, bool trainable,
                             OpBuilder &builder) {
  if (layer.model)
    declareVariables(state, *layer.model, trainable, builder);
  for (const InnerLayer &inner : layer.inner)
    declareVariables(state, *inner.layer, trainable && layer.trainable, builder);
  if (!layer.kind)
    return;
  const LayerState &known = state.stateOf(layer);
  for (const LayerVariable &variable : known.variables) {
    VariableOp op = declare(builder, layerLocation(state, layer), variable.symbol, variable.type,
                            "weight", known.prefix + "/" + variable.path);
    op.setTrainable(trainable && variable.trainable);
    op->setAttr("initializer", variable.initializer);
    if (variable.regularizer)
      op->setAttr("regularizer", variable.regularizer);
    if (variable.constraint)
      op->setAttr("constraint", variable.constraint);
  }
}

static Type floatTypeOf(func::FuncOp predict) {
  for (Type type : predict.getResultTypes())
    if (Type element = getElementTypeOrSelf(type); isa<FloatType>(element))
      return element;
  return Builder(predict.getContext()).getF32Type();
}

OwningOpRef<ModuleOp> emitModule(ModuleState &state, const Graph &graph, StringRef name) {
  Builder attributes(&state.context);
  Location location = state.diagnostics.locate(0);
  OwningOpRef<ModuleOp> module = ModuleOp::create(location);
  (*module)->setAttr("fw.name", attributes.getStringAttr(name));
  state.nameLayers(graph, "", "");

  size_t before = state.diagnostics.count();
  func::FuncOp predict = FunctionEmitter(state, /*training=*/false).emit(*module, graph, "predict");
  if (!predict || state.diagnostics.count() != before)
    return nullptr;
  predict->setAttr("fw.entry", attributes.getUnitAttr());
  func::FuncOp forward = FunctionEmitter(state, /*training=*/true).emit(*module, graph, "forward");
  if (!forward || state.diagnostics.count() != before)
    return nullptr;
  forward.setPrivate();
  numberSymbols(state, *module, graph);
  limitIndices(predict);
  limitIndices(forward);
  if (state.diagnostics.count() != before)
    return nullptr;

  (*module)->setAttr("fw.floatx", TypeAttr::get(floatTypeOf(predict)));
  auto builder = OpBuilder::atBlockBegin(module->getBody());
  declareVariables(state, graph, graph.trainable, builder);
  if (state.usesRng) {
    auto type = RankedTensorType::get({2}, builder.getI64Type());
    declare(builder, location, ModuleState::rngName, type, "rng", "formwork/rng");
  }
  return failed(verify(*module)) ? nullptr : std::move(module);
}

} // namespace formwork::keras
