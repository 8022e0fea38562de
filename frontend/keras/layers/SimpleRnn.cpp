// SimpleRNN: activation(x W + b + h U).
#include "frontend/keras/layers/Recurrence.h"

using namespace mlir;

namespace formwork::keras {

namespace {
class SimpleRnnCell : public RecurrentCell {
public:
  explicit SimpleRnnCell(LayerCall &call) : RecurrentCell(call, "simple_rnn_cell", 1, 1) {}

  SmallVector<Value> step(ValueRange states, Value projected, ValueRange captures) override {
    Value remembered = recur(states[0], captures[0], captures.drop_front());
    return {activated("activation", AddOp::create(b, projected, remembered))};
  }
};
} // namespace

static FailureOr<Tensor> simpleRnn(LayerCall &call) {
  SimpleRnnCell cell(call);
  return recurrence(call, cell);
}

void registerSimpleRnn(Registration &layers) {
  static const std::vector<Argument> arguments = recurrentArguments({});
  layers.push_back(recurrentLayer("SimpleRNN", arguments, simpleRnn));
}

} // namespace formwork::keras
