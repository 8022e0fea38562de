// The scan that recurrent layers are, and what their cells have in common.
//
// A step that the mask leaves out keeps the states. Refuses to keep states from batch to batch.
#include "frontend/keras/layers/Recurrence.h"

#include "frontend/keras/Activations.h"
#include "ir/Scan.h"

using namespace mlir;

namespace formwork::keras {

static const Argument sharedArguments[] = {
    {"units", isPositiveInteger, ""},
    {"activation", isActivation, "\"tanh\""},
    {"use_bias", isBoolean, "true"},
    {"kernel_initializer", isInitializer, "\"glorot_uniform\""},
    {"recurrent_initializer", isInitializer, "\"orthogonal\""},
    {"bias_initializer", isInitializer, "\"zeros\""},
    {"kernel_regularizer", ofWeight, "null"},
    {"recurrent_regularizer", ofWeight, "null"},
    {"bias_regularizer", ofWeight, "null"},
    {"kernel_constraint", ofWeight, "null"},
    {"recurrent_constraint", ofWeight, "null"},
    {"bias_constraint", ofWeight, "null"},
    {"dropout", isRate, "0.0"},
    {"recurrent_dropout", isRate, "0.0"},
    {"return_sequences", isBoolean, "false"},
    {"return_state", isBoolean, "false"},
    {"go_backwards", isBoolean, "false"},
    {"stateful", isStateless, "false"},
    {"unroll", isBoolean, "false"}, // changes what zero_output_for_mask does, if anything
    // These change how Keras computes, not what.
    {"seed", anything, "null"},
    {"use_cudnn", anything, "\"auto\""},
    // 1 drops inputs for each gate on its own, if they are dropped.
    {"implementation", isInteger, "2"},
    {"zero_output_for_mask", isBoolean, "false"},
};

std::vector<Argument> recurrentArguments(ArrayRef<Argument> own) {
  std::vector<Argument> rows(std::begin(sharedArguments), std::end(sharedArguments));
  rows.insert(rows.end(), own.begin(), own.end());
  return rows;
}

//===--- weights ---------------------------------------------------------------------------------

RecurrentCell::RecurrentCell(LayerCall &call, StringRef name, int64_t gates, size_t states)
    : units(call.arguments.integer("units")), gates(gates), states(states), call(call),
      b(call.builder), name(name) {}

LogicalResult RecurrentCell::declare(Value &slot, StringRef variable, StringRef initializer,
                                     ArrayRef<int64_t> shape, DictionaryAttr special) {
  std::string inCell = (name + "/" + variable).str();
  FailureOr<Value> value = call.weight({.name = inCell,
                                        .initializer = initializer,
                                        .shape = SmallVector<int64_t, 4>(shape),
                                        .group = "cell",
                                        .special = special});
  if (succeeded(value))
    slot = *value;
  return LogicalResult(value);
}

LogicalResult RecurrentCell::declareBias() {
  return declare(bias, "bias", "bias_initializer", {gates * units});
}

LogicalResult RecurrentCell::declareWeights(int64_t features) {
  if (failed(declare(kernel, "kernel", "kernel_initializer", {features, gates * units})) ||
      failed(
          declare(recurrent, "recurrent_kernel", "recurrent_initializer", {units, gates * units})))
    return failure();
  return call.arguments.flag("use_bias") ? declareBias() : success();
}

//===--- pieces ----------------------------------------------------------------------------------

static int64_t rankOf(Value x) { return cast<RankedTensorType>(x.getType()).getRank(); }

static Value filledLike(LayerCall &call, double value, Value like) {
  auto axes = llvm::to_vector(llvm::seq<int64_t>(0, rankOf(like)));
  return BroadcastLikeOp::create(call.builder, scalar(call.builder, value, call.dtype), like, axes);
}

Value RecurrentCell::columns(Value x, int64_t from, int64_t to) {
  SmallVector<int64_t> start(rankOf(x), 0), limit(rankOf(x), -1), strides(rankOf(x), 1);
  start.back() = from * units;
  limit.back() = to * units;
  return SliceOp::create(b, x, start, limit, strides);
}

SmallVector<Value> RecurrentCell::split(Value x, int64_t count, Value like) {
  auto parts = SplitLikeOp::create(b, x, SmallVector<Value>(count, like), 1).getParts();
  return SmallVector<Value>(parts);
}

Value RecurrentCell::activated(StringRef argument, Value x) {
  return activate(b, call.arguments[argument], x);
}

bool RecurrentCell::dropsPerGate() const {
  return gates > 1 && (call.arguments.number("recurrent_dropout") > 0 ||
                       call.arguments.integer("implementation") == 1);
}

SmallVector<Value> RecurrentCell::drawMasks(Value example, StringRef rate) {
  SmallVector<Value> drawn;
  if (call.training && call.arguments.number(rate) > 0)
    for (int64_t i = 0, count = dropsPerGate() ? gates : 1; i < count; ++i)
      drawn.push_back(drop(call, filledLike(call, 1, example), call.arguments.number(rate)));
  return drawn;
}

Value RecurrentCell::project(Value steps) {
  Value example = ReduceSumOp::create(b, steps, ArrayRef<int64_t>{0}, /*keepdims=*/false);
  SmallVector<Value> drawn = drawMasks(example, "dropout");
  Value projected;
  if (drawn.size() > 1) {
    SmallVector<Value> parts;
    for (auto [gate, mask] : llvm::enumerate(drawn))
      parts.push_back(contract(b, MulOp::create(b, steps, mask),
                               columns(kernel, int64_t(gate), int64_t(gate) + 1), 2, 0));
    projected = ConcatOp::create(b, parts, 2);
  } else {
    Value dropped = drawn.empty() ? steps : Value(MulOp::create(b, steps, drawn[0]));
    projected = contract(b, dropped, kernel, 2, 0);
  }
  return bias ? Value(AddOp::create(b, projected, bias)) : projected;
}

SmallVector<Value> RecurrentCell::captures(Value like) {
  SmallVector<Value> values = {recurrent};
  llvm::append_range(values, drawMasks(like, "recurrent_dropout"));
  return values;
}

Value RecurrentCell::recur(Value hidden, Value matrix, ValueRange masks) {
  if (masks.empty())
    return contract(b, hidden, matrix, 1, 0);
  if (masks.size() == 1)
    return contract(b, MulOp::create(b, hidden, masks[0]), matrix, 1, 0);
  SmallVector<Value> parts;
  for (auto [gate, mask] : llvm::enumerate(masks))
    parts.push_back(contract(b, MulOp::create(b, hidden, mask),
                             columns(matrix, int64_t(gate), int64_t(gate) + 1), 1, 0));
  return ConcatOp::create(b, parts, 1);
}

//===--- the scan --------------------------------------------------------------------------------

/// A backwards layer gives its outputs in the order in which it computes them.
static Value backwards(LayerCall &call, Value stacked) {
  ImplicitLocOpBuilder &b = call.builder;
  Value perStep = ReduceSumOp::create(b, stacked, ArrayRef<int64_t>{1, 2}, /*keepdims=*/false);
  Value index = IotaLikeOp::create(b, perStep, 0);
  Value last = ReduceMaxOp::create(b, index, ArrayRef<int64_t>{0}, /*keepdims=*/false);
  return GatherOp::create(b, stacked, SubOp::create(b, last, index).getResult());
}

namespace {
/// The scan of one call of a recurrent layer.
class Recurrence {
public:
  Recurrence(LayerCall &call, RecurrentCell &cell)
      : call(call), cell(cell), b(call.builder), sequences(call.arguments.flag("return_sequences")),
        reverse(call.arguments.flag("go_backwards")),
        zeroes(call.inBidirectional ? sequences : call.arguments.flag("zero_output_for_mask")) {}

  FailureOr<Tensor> emit();

private:
  LayerCall &call;
  RecurrentCell &cell;
  ImplicitLocOpBuilder &b;
  const bool sequences, reverse;
  bool zeroes; // outputs of masked steps are 0, else those of the step before
  bool zeroesAfterwards = false;
  bool carriesOutput = false; // beside the state, which the output else is
  Value mask;                 // [t, n], or null
  SmallVector<Value> initials;

  LogicalResult readInitials(const Tensor &x, Value like);
  LogicalResult readMask(const Tensor &x, Value like);
  ScanOp scan(Value projected, ValueRange captures, Value like);
  void emitBody(Block &body);
  Value chosen(Value mask, Value fresh, Value old);
  Value stackedOutputs(ScanOp scan);
};
} // namespace

/// Zeros, or what the call was given.
LogicalResult Recurrence::readInitials(const Tensor &x, Value like) {
  std::vector<Tensor> given = call.given("initial_state");
  if (given.empty()) {
    initials.assign(cell.states, filledLike(call, 0, like));
    return success();
  }
  if (given.size() != cell.states)
    return call.fail("it is given " + std::to_string(given.size()) + " initial states; it has " +
                     std::to_string(cell.states));
  for (Tensor &state : given) {
    int64_t shape[] = {x.size(0), cell.units};
    if (!state.isFloat() || state.type().getShape() != ArrayRef(shape))
      return call.fail("its initial state has shape " + shapeText(state.type().getShape()) +
                       "; it must be of floating-point numbers of shape " + shapeText(shape));
    call.unify(state.symbols[0], x.symbols[0]);
    initials.push_back(state.value);
  }
  return success();
}

LogicalResult Recurrence::readMask(const Tensor &x, Value like) {
  FailureOr<Value> given = call.mask(2);
  if (failed(given) || !*given)
    return LogicalResult(given);
  mask = TransposeOp::create(b, *given, ArrayRef<int64_t>{1, 0});
  // Keras unrolled zeroes the outputs afterwards, with the mask in the order of the input.
  bool afterwards = zeroes && sequences && reverse && call.arguments.flag("unroll");
  carriesOutput = (zeroes && !afterwards) || !call.given("initial_state").empty();
  zeroes = zeroes && !afterwards;
  zeroesAfterwards = afterwards;
  if (carriesOutput)
    initials.push_back(filledLike(call, 0, like));
  return success();
}

/// `fresh` where the step's mask, of [n], is true, else `old`.
Value Recurrence::chosen(Value mask, Value fresh, Value old) {
  Value wide = BroadcastLikeOp::create(b, mask, fresh, ArrayRef<int64_t>{1});
  return SelectOp::create(b, wide, fresh, old);
}

/// (states..., output before?, projected step, mask?, captures...) ->
/// (states..., output?, output to stack?)
void Recurrence::emitBody(Block &body) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(&body);
  ValueRange arguments = body.getArguments();
  auto take = [&](size_t count) {
    ValueRange taken = arguments.take_front(count);
    arguments = arguments.drop_front(count);
    return taken;
  };
  ValueRange states = take(cell.states), before = take(carriesOutput), projected = take(1),
             masks = take(mask ? 1 : 0);
  SmallVector<Value> yielded = cell.step(states, projected[0], arguments);
  Value output = yielded.front();
  if (mask)
    for (auto [fresh, old] : llvm::zip_equal(yielded, states))
      fresh = chosen(masks[0], fresh, old);
  if (carriesOutput)
    yielded.push_back(chosen(masks[0], output, zeroes ? filledLike(call, 0, output) : before[0]));
  if (sequences)
    yielded.push_back(carriesOutput ? yielded.back() : yielded.front());
  YieldOp::create(b, yielded);
}

ScanOp Recurrence::scan(Value projected, ValueRange captures, Value like) {
  auto type = cast<RankedTensorType>(projected.getType());
  auto state = cast<RankedTensorType>(like.getType());
  SmallVector<Type> stacked;
  if (sequences)
    stacked.push_back(
        RankedTensorType::get({type.getDimSize(0), state.getDimSize(0), cell.units}, call.dtype));
  SmallVector<Value> steps{projected};
  if (mask)
    steps.push_back(mask);
  auto scan = ScanOp::create(b, ValueRange(initials).getTypes(), stacked, initials, steps, captures,
                             reverse);
  SmallVector<Type> types = scanBodyTypes(initials, steps, captures);
  Block &body = scan.getBody().emplaceBlock();
  body.addArguments(types, SmallVector<Location>(types.size(), b.getLoc()));
  emitBody(body);
  return scan;
}

/// [t, n, u], in the order in which they were computed, or in that of the inputs.
Value Recurrence::stackedOutputs(ScanOp scan) {
  Value outputs = scan.getStacked()[0];
  if (!reverse || (call.inBidirectional && !zeroesAfterwards))
    return outputs;
  outputs = backwards(call, outputs);
  if (!zeroesAfterwards)
    return outputs;
  Expr kept = broadcastLike(Expr(b, mask), Expr(b, outputs), 2);
  outputs = select(kept, Expr(b, outputs), 0).value();
  return call.inBidirectional ? backwards(call, outputs) : outputs;
}

FailureOr<Tensor> Recurrence::emit() {
  FailureOr<Tensor> x = call.singleFloat(3, 3);
  if (failed(x))
    return failure();
  if (ShapedType::isDynamic(x->size(2)))
    return call.fail("the last dimension of its input must have a fixed size");
  if (failed(cell.declareWeights(x->size(2))))
    return failure();

  Tensor steps = permute(b, *x, {1, 0, 2});
  Value projected = cell.project(steps.value);
  // Of the projection only the shape is used: [n, u].
  Value sum = ReduceSumOp::create(b, projected, ArrayRef<int64_t>{0}, /*keepdims=*/false);
  Value like = SliceOp::create(b, sum, ArrayRef<int64_t>{0, 0}, ArrayRef<int64_t>{-1, cell.units},
                               ArrayRef<int64_t>{1, 1});
  if (failed(readInitials(*x, like)) || failed(readMask(*x, like)))
    return failure();
  ScanOp scan = this->scan(projected, cell.captures(like), like);

  SmallVector<int64_t, 4> ofState{x->symbols[0], fixedSize};
  if (call.arguments.flag("return_state"))
    for (Value state : scan.getFinals().take_front(cell.states))
      call.alsoReturn({state, ofState});
  if (!sequences)
    return Tensor{scan.getFinals()[carriesOutput ? cell.states : 0], ofState};
  Tensor y =
      permute(b, {stackedOutputs(scan), {x->symbols[1], x->symbols[0], fixedSize}}, {1, 0, 2});
  y.mask = call.passedMask();
  return y;
}

FailureOr<Tensor> recurrence(LayerCall &call, RecurrentCell &cell) {
  return Recurrence(call, cell).emit();
}

LayerClass recurrentLayer(StringRef name, ArrayRef<Argument> arguments, LayerBuilder build) {
  static constexpr StringLiteral callArguments[] = {"initial_state", "mask", "training"};
  constexpr size_t outputsAndStates = 1 + 2;
  return {name, ArgumentTable(arguments), build, MaskRule::own, callArguments, outputsAndStates};
}

} // namespace formwork::keras
