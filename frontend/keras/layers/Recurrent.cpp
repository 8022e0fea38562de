// LSTM: one projection of all steps, then a scan over time.
#include "frontend/keras/Activations.h"
#include "frontend/keras/layers/Layers.h"

using namespace mlir;

namespace formwork::keras {

static const Argument lstmArguments[] = {
    {"units", isPositiveInteger, ""},
    {"activation", isActivation, "\"tanh\""},
    {"recurrent_activation", isActivation, "\"sigmoid\""},
    {"use_bias", isBoolean, "true"},
    {"kernel_initializer", isInitializer, "\"glorot_uniform\""},
    {"recurrent_initializer", isInitializer, "\"orthogonal\""},
    {"bias_initializer", isInitializer, "\"zeros\""},
    {"unit_forget_bias", isBoolean, "true"},
    {"kernel_regularizer", onlyDefault, "null"},
    {"recurrent_regularizer", onlyDefault, "null"},
    {"bias_regularizer", onlyDefault, "null"},
    {"activity_regularizer", onlyDefault, "null"},
    {"kernel_constraint", onlyDefault, "null"},
    {"recurrent_constraint", onlyDefault, "null"},
    {"bias_constraint", onlyDefault, "null"},
    {"dropout", isRate, "0.0"},
    {"recurrent_dropout", isRate, "0.0"},
    {"return_sequences", isBoolean, "false"},
    {"return_state", isFalse, "false"},
    {"go_backwards", isBoolean, "false"},
    {"stateful", isFalse, "false"},
    // These change how Keras computes, not what.
    {"seed", anything, "null"},
    {"unroll", anything, "false"},
    {"use_cudnn", anything, "\"auto\""},
    {"implementation", anything, "2"},
    // Means nothing without a mask.
    {"zero_output_for_mask", anything, "false"},
};

namespace {
/// Dimensions: t steps, n examples, f features, u units. Gates are in Keras's order: input, forget,
/// cell, output.
class Lstm {
public:
  explicit Lstm(LayerCall &call)
      : call(call), b(call.builder), units(call.arguments.integer("units")) {}

  FailureOr<Tensor> emit();

private:
  LayerCall &call;
  ImplicitLocOpBuilder &b;
  int64_t units;
  Value kernel, recurrent, bias; // [f, 4u], [u, 4u], [4u] or null

  LogicalResult declareWeights(int64_t features);
  DictionaryAttr biasInitializer();
  Value columns(Value x, int64_t gate);
  Value ones(Value like) { return broadcast(1, like); }
  Value broadcast(double value, Value like);
  SmallVector<Value> masks(Value example, StringRef rate, size_t count);
  Value project(Value steps);
  Value recur(Value hidden, Value matrix, ValueRange hiddenMasks);
  void emitStep(Block &body);
  Value backwards(Value stacked);
};
} // namespace

//===--- weights ---------------------------------------------------------------------------------

/// Ones for the forget gate, so that it begins by remembering.
DictionaryAttr Lstm::biasInitializer() {
  if (!call.arguments.flag("unit_forget_bias"))
    return nullptr;
  DictionaryAttr given = call.initializer("bias_initializer");
  return concatenated(
      *b.getContext(),
      {{units, given}, {units, plainInitializer(*b.getContext(), "Ones")}, {2 * units, given}});
}

LogicalResult Lstm::declareWeights(int64_t features) {
  auto read = [&](Value &slot, LayerCall::Weight weight) {
    weight.group = "cell";
    FailureOr<Value> value = call.weight(weight);
    if (succeeded(value))
      slot = *value;
    return LogicalResult(value);
  };
  if (failed(read(kernel, {.name = "lstm_cell/kernel",
                           .initializer = "kernel_initializer",
                           .shape = {features, 4 * units}})) ||
      failed(read(recurrent, {.name = "lstm_cell/recurrent_kernel",
                              .initializer = "recurrent_initializer",
                              .shape = {units, 4 * units}})))
    return failure();
  if (!call.arguments.flag("use_bias"))
    return success();
  return read(bias, {.name = "lstm_cell/bias",
                     .initializer = "bias_initializer",
                     .shape = {4 * units},
                     .special = biasInitializer()});
}

//===--- pieces ----------------------------------------------------------------------------------

/// Columns of one gate, of a tensor whose last dimension is 4u.
Value Lstm::columns(Value x, int64_t gate) {
  int64_t rank = cast<RankedTensorType>(x.getType()).getRank();
  SmallVector<int64_t> start(rank, 0), limit(rank, -1), strides(rank, 1);
  start.back() = gate * units;
  limit.back() = (gate + 1) * units;
  return SliceOp::create(b, x, start, limit, strides);
}

Value Lstm::broadcast(double value, Value like) {
  auto axes =
      llvm::to_vector(llvm::seq<int64_t>(0, cast<RankedTensorType>(like.getType()).getRank()));
  return BroadcastLikeOp::create(b, scalar(b, value, call.dtype), like, axes);
}

/// Dropout masks, each drawn once for all steps; none outside training.
SmallVector<Value> Lstm::masks(Value example, StringRef rate, size_t count) {
  SmallVector<Value> drawn;
  if (call.training && call.arguments.number(rate) > 0)
    for (size_t i = 0; i < count; ++i)
      drawn.push_back(drop(call, ones(example), call.arguments.number(rate)));
  return drawn;
}

/// [t, n, f] -> [t, n, 4u]. With recurrent dropout Keras draws a mask for each gate.
Value Lstm::project(Value steps) {
  bool perGate = call.arguments.number("recurrent_dropout") > 0;
  Value example = ReduceSumOp::create(b, steps, ArrayRef<int64_t>{0}, /*keepdims=*/false);
  SmallVector<Value> drawn = masks(example, "dropout", perGate ? 4 : 1);
  Value projected;
  if (drawn.size() == 4) {
    SmallVector<Value> gates;
    for (int64_t gate = 0; gate < 4; ++gate)
      gates.push_back(
          contract(b, MulOp::create(b, steps, drawn[gate]), columns(kernel, gate), 2, 0));
    projected = ConcatOp::create(b, gates, 2);
  } else {
    Value dropped = drawn.empty() ? steps : Value(MulOp::create(b, steps, drawn[0]));
    projected = contract(b, dropped, kernel, 2, 0);
  }
  return bias ? Value(AddOp::create(b, projected, bias)) : projected;
}

/// [n, u] -> [n, 4u].
Value Lstm::recur(Value hidden, Value matrix, ValueRange hiddenMasks) {
  if (hiddenMasks.empty())
    return contract(b, hidden, matrix, 1, 0);
  SmallVector<Value> gates;
  for (int64_t gate = 0; gate < 4; ++gate)
    gates.push_back(
        contract(b, MulOp::create(b, hidden, hiddenMasks[gate]), columns(matrix, gate), 1, 0));
  return ConcatOp::create(b, gates, 1);
}

/// The body of the scan: (h, c, projected step, recurrent kernel, masks...) -> (h, c, h?).
void Lstm::emitStep(Block &body) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(&body);
  ValueRange arguments = body.getArguments();
  Value hidden = arguments[0], cell = arguments[1];
  Value z = AddOp::create(b, arguments[2], recur(hidden, arguments[3], arguments.drop_front(4)));
  // Split rather than sliced: the gradient then puts the gates side by side, and adds nothing.
  auto gates = SplitLikeOp::create(b, z, SmallVector<Value>(4, cell), 1);
  auto gate = [&](int64_t index, StringRef activation) {
    return activate(b, call.arguments[activation], gates.getParts()[index]);
  };
  Value input = gate(0, "recurrent_activation"), forget = gate(1, "recurrent_activation");
  Value candidate = gate(2, "activation"), output = gate(3, "recurrent_activation");
  Value kept = MulOp::create(b, forget, cell);
  Value added = MulOp::create(b, input, candidate);
  Value nextCell = AddOp::create(b, kept, added);
  Value nextHidden = MulOp::create(b, output, activate(b, call.arguments["activation"], nextCell));
  SmallVector<Value> yielded{nextHidden, nextCell};
  if (call.arguments.flag("return_sequences"))
    yielded.push_back(nextHidden);
  YieldOp::create(b, yielded);
}

/// A backwards layer gives its outputs in the order in which it computes them.
Value Lstm::backwards(Value stacked) {
  Value perStep = ReduceSumOp::create(b, stacked, ArrayRef<int64_t>{1, 2}, /*keepdims=*/false);
  Value index = IotaLikeOp::create(b, perStep, 0);
  Value last = ReduceMaxOp::create(b, index, ArrayRef<int64_t>{0}, /*keepdims=*/false);
  return GatherOp::create(b, stacked, SubOp::create(b, last, index).getResult());
}

//===--- the layer -------------------------------------------------------------------------------

FailureOr<Tensor> Lstm::emit() {
  FailureOr<Tensor> x = call.singleFloat(3, 3);
  if (failed(x))
    return failure();
  if (ShapedType::isDynamic(x->size(2)))
    return call.fail("the last dimension of its input must have a fixed size");
  if (failed(declareWeights(x->size(2))))
    return failure();
  bool sequences = call.arguments.flag("return_sequences");
  bool reverse = call.arguments.flag("go_backwards");

  Tensor steps = permute(b, *x, {1, 0, 2});
  Value projected = project(steps.value);
  Value example = columns(
      ReduceSumOp::create(b, projected, ArrayRef<int64_t>{0}, /*keepdims=*/false), 0); // [n, u]
  Value zeros = broadcast(0, example);
  SmallVector<Value> captures = {recurrent};
  llvm::append_range(captures, masks(example, "recurrent_dropout", 4));

  auto state = cast<RankedTensorType>(zeros.getType());
  SmallVector<Type> stacked;
  if (sequences)
    stacked.push_back(RankedTensorType::get({x->size(1), state.getDimSize(0), units}, call.dtype));
  auto scan = ScanOp::create(b, TypeRange{state, state}, stacked, ValueRange{zeros, zeros},
                             ValueRange{projected}, captures, reverse);
  auto projectedType = cast<RankedTensorType>(projected.getType());
  SmallVector<Type> types = {
      state, state, RankedTensorType::get(projectedType.getShape().drop_front(), call.dtype)};
  llvm::append_range(types, ValueRange(captures).getTypes());
  Block &body = scan.getBody().emplaceBlock();
  body.addArguments(types, SmallVector<Location>(types.size(), b.getLoc()));
  emitStep(body);

  if (!sequences)
    return Tensor{scan.getFinals()[0], {x->symbols[0], fixedSize}};
  Value outputs = reverse ? backwards(scan.getStacked()[0]) : scan.getStacked()[0];
  return permute(b, {outputs, {x->symbols[1], x->symbols[0], fixedSize}}, {1, 0, 2});
}

static FailureOr<Tensor> lstm(LayerCall &call) { return Lstm(call).emit(); }

void registerRecurrentLayers(Registration &layers) {
  layers.push_back({"LSTM", ArgumentTable(lstmArguments), lstm});
}

} // namespace formwork::keras
