// GRU, with the reset gate applied before or after the product with the recurrent kernel.
#include "frontend/keras/layers/Recurrence.h"

#include "ir/Expr.h"

using namespace mlir;

namespace formwork::keras {

static const Argument ownArguments[] = {
    {"recurrent_activation", isActivation, "\"sigmoid\""},
    {"reset_after", isBoolean, "true"},
};

namespace {
/// Gates: update, reset, candidate. The one state is the output.
class GruCell : public RecurrentCell {
public:
  explicit GruCell(LayerCall &call)
      : RecurrentCell(call, "gru_cell", 3, 1), resetAfter(call.arguments.flag("reset_after")) {}

  SmallVector<Value> captures(Value like) override;
  SmallVector<Value> step(ValueRange states, Value projected, ValueRange captures) override;

private:
  const bool resetAfter;
  Value recurrentBias; // [3u]: with `reset_after`, if there are biases

  LogicalResult declareBias() override;
  Value gate(Value projected, Value recurrent) {
    return activated("recurrent_activation", AddOp::create(b, projected, recurrent));
  }
  Value mixed(Value update, Value hidden, Value candidate);
  Value stepAfter(Value hidden, Value projected, ValueRange captures);
  Value stepBefore(Value hidden, Value projected, ValueRange captures);
};
} // namespace

/// With `reset_after` there are two: row 0 is added to the inputs' projection, row 1 to the
/// state's.
LogicalResult GruCell::declareBias() {
  if (!resetAfter)
    return RecurrentCell::declareBias();
  Value rows;
  if (failed(declare(rows, "bias", "bias_initializer", {2, 3 * units})))
    return failure();
  auto row = [&](int64_t index) {
    Value one = SliceOp::create(b, rows, ArrayRef<int64_t>{index, 0},
                                ArrayRef<int64_t>{index + 1, 3 * units}, ArrayRef<int64_t>{1, 1});
    return Value(ReshapeOp::create(b, one, ArrayRef<int64_t>{3 * units}));
  };
  bias = row(0);
  recurrentBias = row(1);
  return success();
}

/// After: the recurrent kernel, its bias if there is one, masks. Before: the kernel's columns of
/// update and reset, those of the candidate, masks.
SmallVector<Value> GruCell::captures(Value like) {
  SmallVector<Value> values;
  if (resetAfter) {
    values.push_back(recurrent);
    if (recurrentBias)
      values.push_back(recurrentBias);
  } else {
    values = {columns(recurrent, 0, 2), columns(recurrent, 2, 3)};
  }
  llvm::append_range(values, drawMasks(like, "recurrent_dropout"));
  return values;
}

/// update * hidden + (1 - update) * candidate
Value GruCell::mixed(Value update, Value hidden, Value candidate) {
  Expr z(b, update), h(b, hidden), c(b, candidate);
  return (z * h + (1 - z) * c).value();
}

Value GruCell::stepAfter(Value hidden, Value projected, ValueRange captures) {
  ValueRange masks = captures.drop_front(recurrentBias ? 2 : 1);
  Value inner = recur(hidden, captures[0], masks);
  if (recurrentBias)
    inner = AddOp::create(b, inner, captures[1]);
  SmallVector<Value> x = split(projected, 3, hidden), h = split(inner, 3, hidden);
  Value update = gate(x[0], h[0]), reset = gate(x[1], h[1]);
  Value remembered = MulOp::create(b, reset, h[2]);
  Value candidate = activated("activation", AddOp::create(b, x[2], remembered));
  return mixed(update, hidden, candidate);
}

Value GruCell::stepBefore(Value hidden, Value projected, ValueRange captures) {
  ValueRange masks = captures.drop_front(2);
  SmallVector<Value> x = split(projected, 3, hidden);
  SmallVector<Value> h =
      split(recur(hidden, captures[0], masks.take_front(masks.empty() ? 0 : 2)), 2, hidden);
  Value update = gate(x[0], h[0]), reset = gate(x[1], h[1]);
  Value kept = masks.empty() ? hidden : Value(MulOp::create(b, hidden, masks[2]));
  Value remembered = contract(b, MulOp::create(b, reset, kept), captures[1], 1, 0);
  Value candidate = activated("activation", AddOp::create(b, x[2], remembered));
  return mixed(update, hidden, candidate);
}

SmallVector<Value> GruCell::step(ValueRange states, Value projected, ValueRange captures) {
  return {resetAfter ? stepAfter(states[0], projected, captures)
                     : stepBefore(states[0], projected, captures)};
}

static FailureOr<Tensor> gru(LayerCall &call) {
  GruCell cell(call);
  return recurrence(call, cell);
}

void registerGru(Registration &layers) {
  static const std::vector<Argument> arguments = recurrentArguments(ownArguments);
  layers.push_back(recurrentLayer("GRU", arguments, gru));
}

} // namespace formwork::keras
