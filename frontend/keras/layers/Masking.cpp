// Masking: what of a sequence means nothing.
#include "frontend/keras/layers/Layers.h"

using namespace mlir;

namespace formwork::keras {

static const Argument maskingArguments[] = {{"mask_value", isNumber, "0.0"}};

/// The mask is of those steps of which any feature differs from `mask_value`; the others become 0.
static FailureOr<Tensor> masking(LayerCall &call) {
  FailureOr<Tensor> x = call.singleFloat(2);
  if (failed(x))
    return failure();
  int64_t last = x->rank() - 1;
  Expr value(call.builder, x->value);
  Expr differs = notEqual(value, call.arguments.number("mask_value"));
  x->mask = ReduceAnyOp::create(call.builder, differs.value(), last, /*keepdims=*/false);
  Expr kept = broadcastLike(Expr(call.builder, x->mask), value, last);
  x->value = (value * castTo(kept, x->element())).value();
  return x;
}

void registerMasking(Registration &layers) {
  layers.push_back({"Masking", ArgumentTable(maskingArguments), masking, MaskRule::own});
}

} // namespace formwork::keras
