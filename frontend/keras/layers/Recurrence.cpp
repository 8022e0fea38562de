// The scan that recurrent layers are, and what their cells have in common.
#include "frontend/keras/layers/Recurrence.h"

#include "frontend/keras/Activations.h"

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
    {"return_state", isFalse, "false"},
    {"go_backwards", isBoolean, "false"},
    {"stateful", isStateless, "false"},
    // These change how Keras computes, not what.
    {"seed", anything, "null"},
    {"unroll", anything, "false"},
    {"use_cudnn", anything, "\"auto\""},
    // 1 drops inputs for each gate on its own, if they are dropped.
    {"implementation", isInteger, "2"},
    // Means nothing without a mask.
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

/// The body: (states..., projected step, captures...) -> (states..., output?).
static void emitBody(LayerCall &call, RecurrentCell &cell, Block &body) {
  OpBuilder::InsertionGuard guard(call.builder);
  call.builder.setInsertionPointToEnd(&body);
  ValueRange arguments = body.getArguments();
  SmallVector<Value> yielded = cell.step(arguments.take_front(cell.states), arguments[cell.states],
                                         arguments.drop_front(cell.states + 1));
  if (call.arguments.flag("return_sequences"))
    yielded.push_back(yielded.front());
  YieldOp::create(call.builder, yielded);
}

FailureOr<Tensor> recurrence(LayerCall &call, RecurrentCell &cell) {
  ImplicitLocOpBuilder &b = call.builder;
  FailureOr<Tensor> x = call.singleFloat(3, 3);
  if (failed(x))
    return failure();
  if (ShapedType::isDynamic(x->size(2)))
    return call.fail("the last dimension of its input must have a fixed size");
  if (failed(cell.declareWeights(x->size(2))))
    return failure();
  bool sequences = call.arguments.flag("return_sequences");
  bool reverse = call.arguments.flag("go_backwards");

  Tensor steps = permute(b, *x, {1, 0, 2});
  Value projected = cell.project(steps.value);
  auto projectedType = cast<RankedTensorType>(projected.getType());
  // Of the projection only the shape is used: [n, u].
  Value sum = ReduceSumOp::create(b, projected, ArrayRef<int64_t>{0}, /*keepdims=*/false);
  Value like = SliceOp::create(b, sum, ArrayRef<int64_t>{0, 0}, ArrayRef<int64_t>{-1, cell.units},
                               ArrayRef<int64_t>{1, 1});
  SmallVector<Value> initials(cell.states, filledLike(call, 0, like));
  SmallVector<Value> captures = cell.captures(like);

  auto state = cast<RankedTensorType>(like.getType());
  SmallVector<Type> stacked;
  if (sequences)
    stacked.push_back(
        RankedTensorType::get({x->size(1), state.getDimSize(0), cell.units}, call.dtype));
  auto scan = ScanOp::create(b, ValueRange(initials).getTypes(), stacked, initials,
                             ValueRange{projected}, captures, reverse);
  SmallVector<Type> types(cell.states, state);
  types.push_back(RankedTensorType::get(projectedType.getShape().drop_front(), call.dtype));
  llvm::append_range(types, ValueRange(captures).getTypes());
  Block &body = scan.getBody().emplaceBlock();
  body.addArguments(types, SmallVector<Location>(types.size(), b.getLoc()));
  emitBody(call, cell, body);

  if (!sequences)
    return Tensor{scan.getFinals()[0], {x->symbols[0], fixedSize}};
  Value outputs = reverse ? backwards(call, scan.getStacked()[0]) : scan.getStacked()[0];
  return permute(b, {outputs, {x->symbols[1], x->symbols[0], fixedSize}}, {1, 0, 2});
}

} // namespace formwork::keras
