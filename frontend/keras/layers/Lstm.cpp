// LSTM.
#include "frontend/keras/layers/Recurrence.h"

using namespace mlir;

namespace formwork::keras {

static const Argument ownArguments[] = {
    {"recurrent_activation", isActivation, "\"sigmoid\""},
    {"unit_forget_bias", isBoolean, "true"},
};

namespace {
/// Gates: input, forget, cell, output. States: the output and the cell.
class LstmCell : public RecurrentCell {
public:
  explicit LstmCell(LayerCall &call) : RecurrentCell(call, "lstm_cell", 4, 2) {}

  SmallVector<Value> step(ValueRange states, Value projected, ValueRange captures) override;

private:
  LogicalResult declareBias() override {
    return declare(bias, "bias", "bias_initializer", {4 * units}, biasInitializer());
  }
  DictionaryAttr biasInitializer();
};
} // namespace

/// Ones for the forget gate, so that it begins by remembering.
DictionaryAttr LstmCell::biasInitializer() {
  if (!call.arguments.flag("unit_forget_bias"))
    return nullptr;
  DictionaryAttr given = call.initializer("bias_initializer");
  return concatenated(
      *b.getContext(),
      {{units, given}, {units, plainInitializer(*b.getContext(), "Ones")}, {2 * units, given}});
}

SmallVector<Value> LstmCell::step(ValueRange states, Value projected, ValueRange captures) {
  Value hidden = states[0], cell = states[1];
  Value z = AddOp::create(b, projected, recur(hidden, captures[0], captures.drop_front()));
  SmallVector<Value> gates = split(z, 4, cell);
  Value input = activated("recurrent_activation", gates[0]);
  Value forget = activated("recurrent_activation", gates[1]);
  Value candidate = activated("activation", gates[2]);
  Value output = activated("recurrent_activation", gates[3]);
  Value kept = MulOp::create(b, forget, cell);
  Value added = MulOp::create(b, input, candidate);
  Value nextCell = AddOp::create(b, kept, added);
  Value nextHidden = MulOp::create(b, output, activated("activation", nextCell));
  return {nextHidden, nextCell};
}

static FailureOr<Tensor> lstm(LayerCall &call) {
  LstmCell cell(call);
  return recurrence(call, cell);
}

void registerLstm(Registration &layers) {
  static const std::vector<Argument> arguments = recurrentArguments(ownArguments);
  layers.push_back(recurrentLayer("LSTM", arguments, lstm));
}

} // namespace formwork::keras
