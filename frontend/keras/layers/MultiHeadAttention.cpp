// MultiHeadAttention: softmax(Q K^T / sqrt(key_dim)) V for every head, between projections.
//
// Dimensions: b the batch, f free ones between which nothing attends, t and s those over which
// queries and values are attended to (one each, but with attention_axes), n heads, h a head's size.
//
// Refuses the gate, windows and flash attention, and masks of steps where more than steps attend.
#include "frontend/keras/ActivationFunctions.h"
#include "frontend/keras/layers/Layers.h"

using namespace mlir;

namespace formwork::keras {

static std::string isPositiveOrNull(const Json &value) {
  return value.isNull() ? "" : isPositiveInteger(value);
}

static std::string areSizesOfOutput(const Json &value) {
  const Json::Array *sizes = value.array();
  auto isSize = [](const Json &size) { return isPositiveInteger(size).empty(); };
  bool good = value.isNull() || isSize(value) ||
              (sizes && !sizes->empty() && sizes->size() < 8 && llvm::all_of(*sizes, isSize));
  return good ? "" : "must be null, a positive integer or a list of such";
}

static std::string areAxesOrNull(const Json &value) {
  return value.isNull() ? "" : isAxisOrAxes(value);
}

static std::string isNotForced(const Json &value) {
  bool free = value.isNull() || value.boolean() == false;
  return free ? "" : "is not supported; only null and false are";
}

static const Argument attentionArguments[] = {
    {"num_heads", isPositiveInteger, ""},
    {"key_dim", isPositiveInteger, ""},
    {"value_dim", isPositiveOrNull, "null"},
    {"dropout", isRate, "0.0"},
    {"use_bias", isBoolean, "true"},
    {"use_gate", isFalse, "false"},
    {"output_shape", areSizesOfOutput, "null"},
    {"attention_axes", areAxesOrNull, "null"},
    {"sliding_window", onlyDefault, "null"},
    {"flash_attention", isNotForced, "null"},
    {"kernel_initializer", isInitializer, "\"glorot_uniform\""},
    {"bias_initializer", isInitializer, "\"zeros\""},
    {"kernel_regularizer", ofWeight, "null"},
    {"bias_regularizer", ofWeight, "null"},
    {"kernel_constraint", ofWeight, "null"},
    {"bias_constraint", ofWeight, "null"},
    {"seed", anything, "null"},
};

static SmallVector<int64_t> range(int64_t from, int64_t to) {
  return llvm::to_vector(llvm::seq<int64_t>(from, to));
}

namespace {
/// One call.
class MultiHeadAttention {
public:
  explicit MultiHeadAttention(LayerCall &call)
      : call(call), b(call.builder), heads(call.arguments.integer("num_heads")) {}

  FailureOr<Tensor> emit();

private:
  LayerCall &call;
  ImplicitLocOpBuilder &b;
  const int64_t heads;
  Tensor query, value, key;
  SmallVector<int64_t> attended, free; // axes of the inputs; the first free one is the batch

  int64_t rank() const { return query.rank(); }
  /// Scores are [b, f..., n, t..., s...].
  int64_t firstOfT() const { return int64_t(free.size()) + 1; }
  int64_t firstOfS() const { return firstOfT() + int64_t(attended.size()); }

  LogicalResult readInputs();
  LogicalResult readAxes();
  FailureOr<Tensor> oneGiven(StringRef name);
  LogicalResult checkSizes();
  FailureOr<Value> regularized(Value projected);
  FailureOr<Value> weights(StringRef name, StringRef group, ArrayRef<int64_t> kernel,
                           int64_t contracted, Value x);
  FailureOr<Value> project(StringRef name, const Tensor &x, int64_t size);
  Value inHeads(Value projected);
  Value scoresOf(Value q, Value k);
  FailureOr<Value> mask(Value scores);
  Value maskOfSteps(const Tensor &x, Value scores, int64_t axis);
  FailureOr<Value> attentionMask(Value scores);
  Value combine(Value scores, Value v);
  FailureOr<Tensor> outputOf(Value combined);
  Tensor scoresWithSymbols(Value scores);
};
} // namespace

//===--- inputs ----------------------------------------------------------------------------------

FailureOr<Tensor> MultiHeadAttention::oneGiven(StringRef name) {
  std::vector<Tensor> tensors = call.given(name);
  if (tensors.size() != 1)
    return call.fail("call argument '" + name.str() + "' must be one tensor");
  return tensors.front();
}

LogicalResult MultiHeadAttention::readInputs() {
  FailureOr<Tensor> first = call.single(3);
  FailureOr<Tensor> second = failed(first) ? first : oneGiven("value");
  if (failed(second))
    return failure();
  query = *first;
  value = key = *second;
  if (!call.given("key").empty())
    key = call.given("key").front();
  for (const Tensor *x : {&query, &value, &key}) {
    if (!x->isFloat() || x->rank() != query.rank())
      return call.fail(
          "its query, value and key must be of floating-point numbers and of one rank");
    if (ShapedType::isDynamic(x->size(x->rank() - 1)))
      return call.fail("the last dimensions of its inputs must have a fixed size");
  }
  return readAxes();
}

LogicalResult MultiHeadAttention::readAxes() {
  bool all = call.arguments["attention_axes"].isNull();
  for (int64_t given : all ? std::vector<int64_t>() : call.arguments.integers("attention_axes")) {
    FailureOr<int64_t> axis = call.axisOf(given, rank());
    if (failed(axis))
      return failure();
    if (*axis == 0 || *axis == rank() - 1 || llvm::is_contained(attended, *axis))
      return call.fail("argument 'attention_axes' must name axes between the batch and the last, "
                       "each once");
    attended.push_back(*axis);
  }
  if (all)
    attended = range(1, rank() - 1);
  for (int64_t axis : range(0, rank() - 1))
    if (!llvm::is_contained(attended, axis))
      free.push_back(axis);
  return checkSizes();
}

/// Queries and values agree but for what is attended to and the last dimension; values and keys but
/// for the last.
LogicalResult MultiHeadAttention::checkSizes() {
  for (int64_t axis : range(0, rank() - 1)) {
    bool isFree = llvm::is_contained(free, axis);
    if (value.size(axis) != key.size(axis) || (isFree && query.size(axis) != value.size(axis)))
      return call.fail("its query, value and key have shapes that do not fit together: " +
                       shapeText(query.type().getShape()) + ", " +
                       shapeText(value.type().getShape()) + " and " +
                       shapeText(key.type().getShape()));
    call.unify(value.symbols[axis], key.symbols[axis]);
    if (isFree)
      call.unify(query.symbols[axis], value.symbols[axis]);
  }
  return success();
}

//===--- projections -----------------------------------------------------------------------------

FailureOr<Value> MultiHeadAttention::regularized(Value projected) {
  if (failed(call.regularize({projected, {}})))
    return failure();
  return projected;
}

/// x times a kernel, of which the first `contracted` dimensions are x's last, plus a bias.
FailureOr<Value> MultiHeadAttention::weights(StringRef name, StringRef group,
                                             ArrayRef<int64_t> shape, int64_t contracted, Value x) {
  std::string kernelName = (name + "/kernel").str(), biasName = (name + "/bias").str();
  FailureOr<Value> kernel = call.weight({.name = kernelName,
                                         .initializer = "kernel_initializer",
                                         .shape = SmallVector<int64_t, 4>(shape),
                                         .group = group});
  if (failed(kernel))
    return failure();
  int64_t last = cast<RankedTensorType>(x.getType()).getRank();
  Value y = DotGeneralOp::create(b, x, *kernel, range(last - contracted, last),
                                 range(0, contracted), ArrayRef<int64_t>{}, ArrayRef<int64_t>{});
  if (!call.arguments.flag("use_bias"))
    return regularized(y);
  FailureOr<Value> bias =
      call.weight({.name = biasName,
                   .initializer = "bias_initializer",
                   .shape = SmallVector<int64_t, 4>(shape.drop_front(contracted)),
                   .group = group});
  if (failed(bias))
    return failure();
  return regularized(AddOp::create(b, y, *bias));
}

/// [b, ..., d] -> [b, ..., n, h]
FailureOr<Value> MultiHeadAttention::project(StringRef name, const Tensor &x, int64_t size) {
  return weights(name, (name + "_dense").str(), {x.size(x.rank() - 1), heads, size}, 1, x.value);
}

/// [b, ..., n, h] -> [b, f..., n, attended..., h]
Value MultiHeadAttention::inHeads(Value projected) {
  SmallVector<int64_t> order(free);
  order.push_back(rank() - 1);
  llvm::append_range(order, attended);
  order.push_back(rank());
  return TransposeOp::create(b, projected, order);
}

//===--- attention -------------------------------------------------------------------------------

Value MultiHeadAttention::scoresOf(Value q, Value k) {
  SmallVector<int64_t> batch = range(0, firstOfT());
  return DotGeneralOp::create(b, q, k, ArrayRef<int64_t>{rank()}, ArrayRef<int64_t>{rank()}, batch,
                              batch);
}

/// A mask of the steps of x as one of scores, whose dimension `axis` they are; null if x has none.
Value MultiHeadAttention::maskOfSteps(const Tensor &x, Value scores, int64_t axis) {
  if (!x.mask)
    return {};
  SmallVector<int64_t> missing;
  for (int64_t i : range(1, 4))
    if (i != axis)
      missing.push_back(i);
  return BroadcastLikeOp::create(b, x.mask, scores, missing);
}

/// What the caller gives: the scores' dimensions, of which those before t may be missing from the
/// heads on to the left.
FailureOr<Value> MultiHeadAttention::attentionMask(Value scores) {
  if (call.given("attention_mask").empty())
    return Value();
  FailureOr<Tensor> given = oneGiven("attention_mask");
  if (failed(given))
    return failure();
  auto wanted = cast<RankedTensorType>(scores.getType()).getShape();
  int64_t trailing = 2 * int64_t(attended.size());
  SmallVector<int64_t> missing = range(given->rank() - trailing, firstOfT());
  auto fail = [&] {
    return call.fail("its attention_mask has shape " + shapeText(given->type().getShape()) +
                     ", which does not fit its scores of shape " + shapeText(wanted));
  };
  if (given->rank() < trailing || given->rank() > int64_t(wanted.size()))
    return fail();
  int64_t at = 0;
  for (int64_t i : range(0, wanted.size())) {
    if (llvm::is_contained(missing, i))
      continue;
    int64_t size = given->size(at++);
    if (size != wanted[i] && size != 1)
      return fail();
  }
  return Value(BroadcastLikeOp::create(b, asMask(b, *given), scores, missing));
}

/// Where scores count, of their shape; null if all do.
FailureOr<Value> MultiHeadAttention::mask(Value scores) {
  FailureOr<Value> given = attentionMask(scores);
  FailureOr<bool> causal = call.switchedOn("use_causal_mask");
  if (failed(given) || failed(causal))
    return failure();
  for (auto [name, tensor] : {std::pair("value_mask", &value), {"key_mask", &key}})
    if (!call.given(name).empty())
      tensor->mask = asMask(b, call.given(name).front());
  bool ofKeys = !call.given("key").empty() || !call.given("key_mask").empty();
  bool ofSteps = query.mask || value.mask || (ofKeys && key.mask);
  if ((*causal || ofSteps) && rank() != 3)
    return call.fail("its inputs have shape " + shapeText(query.type().getShape()) +
                     "; masks of steps and use_causal_mask need three dimensions");
  for (const Tensor *x : {&query, &value, &key})
    if (auto type = x->mask ? cast<RankedTensorType>(x->mask.getType()) : RankedTensorType();
        type && type.getShape() != x->type().getShape().take_front(2))
      return call.fail("an input of shape " + shapeText(x->type().getShape()) +
                       " has a mask of shape " + shapeText(type.getShape()));
  Value all = *given;
  auto add = [&](Value mask) {
    if (mask)
      all = all ? Value(LogicalAndOp::create(b, all, mask)) : mask;
  };
  if (ofSteps) {
    add(maskOfSteps(query, scores, 2));
    add(maskOfSteps(value, scores, 3));
    add(ofKeys ? maskOfSteps(key, scores, 3) : Value());
  }
  if (*causal)
    add((iotaLike(Expr(b, scores), 2) >= iotaLike(Expr(b, scores), 3)).value());
  return all;
}

/// [b, f..., n, t..., h], moved to where the heads come last but one.
Value MultiHeadAttention::combine(Value scores, Value v) {
  SmallVector<int64_t> batch = range(0, firstOfT());
  int64_t scoresRank = cast<RankedTensorType>(scores.getType()).getRank();
  Value heads = DotGeneralOp::create(b, scores, v, range(firstOfS(), scoresRank),
                                     range(firstOfT(), firstOfS()), batch, batch);
  SmallVector<int64_t> order(rank() + 1);
  for (auto [i, axis] : llvm::enumerate(free))
    order[axis] = int64_t(i);
  for (auto [i, axis] : llvm::enumerate(attended))
    order[axis] = firstOfT() + int64_t(i);
  order[rank() - 1] = firstOfT() - 1;
  order[rank()] = rank();
  return TransposeOp::create(b, heads, order);
}

FailureOr<Tensor> MultiHeadAttention::outputOf(Value combined) {
  bool usual = call.arguments["output_shape"].isNull();
  SmallVector<int64_t> shape = {heads,
                                cast<RankedTensorType>(combined.getType()).getShape().back()};
  if (usual)
    shape.push_back(query.size(rank() - 1));
  else
    llvm::append_range(shape, call.arguments.integers("output_shape"));
  FailureOr<Value> y = weights("attention_output", "output_dense", shape, 2, combined);
  if (failed(y))
    return failure();
  Tensor output{*y, query.symbols, query.mask};
  output.symbols.pop_back();
  output.symbols.append(shape.size() - 2, fixedSize);
  return output;
}

Tensor MultiHeadAttention::scoresWithSymbols(Value scores) {
  Tensor result{scores, {}};
  for (int64_t axis : free)
    result.symbols.push_back(query.symbols[axis]);
  result.symbols.push_back(fixedSize);
  for (const Tensor *x : {&query, &value})
    for (int64_t axis : attended)
      result.symbols.push_back(x->symbols[axis]);
  return result;
}

FailureOr<Tensor> MultiHeadAttention::emit() {
  constexpr double largeNegative = -1e9; // Keras's, in place of what the mask leaves out
  if (failed(readInputs()))
    return failure();
  int64_t size = call.arguments.integer("key_dim");
  int64_t valueSize =
      call.arguments["value_dim"].isNull() ? size : call.arguments.integer("value_dim");
  FailureOr<Value> q = project("query", query, size);
  FailureOr<Value> k = failed(q) ? q : project("key", key, size);
  FailureOr<Value> v = failed(k) ? k : project("value", value, valueSize);
  if (failed(v))
    return failure();
  Expr scaled = Expr(b, *q) * (1 / std::sqrt(double(size)));
  Value scores = scoresOf(inHeads(scaled.value()), inHeads(*k));
  FailureOr<Value> kept = mask(scores);
  FailureOr<bool> returnsScores = call.switchedOn("return_attention_scores");
  if (failed(kept) || failed(returnsScores))
    return failure();
  Expr logits(b, scores);
  if (*kept)
    logits = select(Expr(b, *kept), logits, largeNegative);
  int64_t last = cast<RankedTensorType>(scores.getType()).getRank();
  Expr normalized = softmax(logits, range(firstOfS(), last));
  double rate = call.arguments.number("dropout");
  // Of a query that may attend to nothing, Keras's fused attention has the mean of all values;
  // where it computes scores they are 0.
  bool computesScores = rate > 0 || *returnsScores || rank() != 3;
  if (*kept && computesScores)
    normalized = select(Expr(b, *kept), normalized, 0);
  scores = normalized.value();
  Value dropped = call.training && rate > 0 ? drop(call, scores, rate) : scores;
  FailureOr<Tensor> output = outputOf(combine(dropped, inHeads(*v)));
  if (succeeded(output) && *returnsScores)
    call.alsoReturn(scoresWithSymbols(scores));
  return output;
}

static FailureOr<Tensor> multiHeadAttention(LayerCall &call) {
  return MultiHeadAttention(call).emit();
}

void registerMultiHeadAttention(Registration &layers) {
  static constexpr StringLiteral callArguments[] = {"value",
                                                    "key",
                                                    "query_mask",
                                                    "value_mask",
                                                    "key_mask",
                                                    "attention_mask",
                                                    "return_attention_scores",
                                                    "training",
                                                    "use_causal_mask"};
  LayerClass layer{"MultiHeadAttention", ArgumentTable(attentionArguments),
                   multiHeadAttention,   MaskRule::own,
                   callArguments,        2};
  layer.clearsMasks = true;
  layer.regularizesParts = true;
  layers.push_back(std::move(layer));
}

} // namespace formwork::keras
