// Bidirectional: a recurrent layer, and another that runs the other way.
//
// Refuses layers that are not recurrent, and pairs that Keras refuses: of one direction, or of
// which only one returns sequences or states.
#include "frontend/keras/layers/Layers.h"

using namespace mlir;

namespace formwork::keras {

static std::string isMergeMode(const Json &value) {
  const std::string *mode = value.string();
  bool known = mode && llvm::is_contained({"concat", "sum", "ave", "mul"}, *mode);
  return known || value.isNull() ? "" : "must be \"concat\", \"sum\", \"ave\", \"mul\" or null";
}

static const Argument bidirectionalArguments[] = {
    {"layer", isLayer, ""},
    {"backward_layer", isLayer, ""},
    {"merge_mode", isMergeMode, "\"concat\""},
    {"weights", onlyDefault, "null"},
};

/// Whether both layers agree on what they return.
static LogicalResult checkPair(LayerCall &call) {
  const Layer &forward = *call.inner()[0].layer, &backward = *call.inner()[1].layer;
  for (const Layer *layer : {&forward, &backward})
    if (!layer->kind || !layer->kind->arguments.fallback("go_backwards"))
      return call.fail("its layer " + quoted(layer->name) + " (" + layer->className +
                       ") is not recurrent; it takes an LSTM, a GRU or a SimpleRNN");
  Arguments a(*forward.config, forward.kind->arguments),
      b(*backward.config, backward.kind->arguments);
  if (a.flag("go_backwards") == b.flag("go_backwards"))
    return call.fail("its two layers must run in opposite directions: go_backwards must be true of "
                     "one of them");
  for (StringRef argument : {"return_sequences", "return_state"})
    if (a.flag(argument) != b.flag(argument))
      return call.fail("argument '" + argument.str() + "' must be the same for its two layers");
  return success();
}

/// The outputs of one of the layers, with its half of the initial states.
static FailureOr<std::vector<Tensor>> run(LayerCall &call, size_t direction, Value mask) {
  CallOperands operands;
  operands.inputs = call.inputs;
  operands.inBidirectional = true;
  std::vector<Tensor> states = call.given("initial_state");
  size_t half = states.size() / 2;
  if (direction == 0 && half > 0)
    operands.further["initial_state"] = {states.begin(), states.begin() + half};
  if (direction == 1 && !states.empty())
    operands.further["initial_state"] = {states.begin() + half, states.end()};
  if (mask)
    operands.further["mask"] = {{mask, {call.inputs[0].symbols[0], call.inputs[0].symbols[1]}}};
  return call.emit(*call.inner()[direction].layer, std::move(operands));
}

static LogicalResult checkMerge(LayerCall &call, const Tensor &a, const Tensor &b) {
  if (a.type() == b.type() || call.arguments["merge_mode"].isNull() ||
      call.arguments.text("merge_mode") == "concat")
    return success();
  return call.fail("its two layers return shapes that do not fit together: " +
                   shapeText(a.type().getShape()) + " and " + shapeText(b.type().getShape()));
}

static Value merged(LayerCall &call, Value forward, Value backward) {
  StringRef mode = call.arguments.text("merge_mode");
  if (mode == "concat") {
    int64_t last = cast<RankedTensorType>(forward.getType()).getRank() - 1;
    return ConcatOp::create(call.builder, SmallVector<Value>{forward, backward}, last);
  }
  Expr a(call.builder, forward), b(call.builder, backward);
  return (mode == "mul" ? a * b : mode == "sum" ? a + b : (a + b) / 2).value();
}

static FailureOr<Tensor> bidirectional(LayerCall &call) {
  FailureOr<Tensor> x = call.singleFloat(3, 3);
  if (failed(x) || failed(checkPair(call)))
    return failure();
  FailureOr<Value> mask = call.mask(2);
  if (failed(mask))
    return failure();
  FailureOr<std::vector<Tensor>> forward = run(call, 0, *mask);
  FailureOr<std::vector<Tensor>> backward = failed(forward) ? forward : run(call, 1, *mask);
  if (failed(backward) || failed(checkMerge(call, forward->front(), backward->front())))
    return failure();
  Tensor y = forward->front(), reversed = backward->front();
  bool sequences = y.rank() == 3;
  y.mask = reversed.mask = sequences ? call.passedMask() : Value();
  if (call.arguments["merge_mode"].isNull())
    call.alsoReturn(reversed);
  else
    y.value = merged(call, y.value, reversed.value);
  for (auto *outputs : {&*forward, &*backward})
    for (const Tensor &state : llvm::drop_begin(*outputs))
      call.alsoReturn(state);
  return y;
}

void registerBidirectional(Registration &layers) {
  static constexpr StringLiteral callArguments[] = {"initial_state", "mask", "training"};
  static constexpr LayerClass::Wrapped wraps[] = {{"layer", "forward_layer"},
                                                  {"backward_layer", "backward_layer"}};
  constexpr size_t outputsAndStates = 2 + 2 * 2;
  layers.push_back({"Bidirectional", ArgumentTable(bidirectionalArguments), bidirectional,
                    MaskRule::own, callArguments, outputsAndStates, wraps});
}

} // namespace formwork::keras
