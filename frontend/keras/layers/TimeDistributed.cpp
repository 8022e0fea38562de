// TimeDistributed: any layer or model, applied to every step of a sequence.
//
// Steps are treated as further examples of one batch, but where a layer looks at the whole batch:
// in training (BatchNormalization), or to regularize activities. Then one step comes after the
// other, as in Keras. That needs a fixed number of steps. Refuses inputs of which more than batch
// and steps have unknown sizes.
#include "frontend/keras/layers/Layers.h"
#include "ir/Places.h"

using namespace mlir;

namespace formwork::keras {

static const Argument timeDistributedArguments[] = {{"layer", isLayer, ""}};

static bool looksAtBatch(const Layer &layer) {
  if (layer.model)
    return llvm::any_of(layer.model->layers, looksAtBatch);
  return layer.className == "BatchNormalization" ||
         llvm::any_of(layer.inner,
                      [](const InnerLayer &inner) { return looksAtBatch(*inner.layer); });
}

static bool regularizesActivity(const Layer &layer) {
  const Json *given = layer.model ? nullptr : layer.config->find("activity_regularizer");
  return layer.className == "ActivityRegularization" || (given && !given->isNull());
}

/// Whether layers within this one add to the loss what they make of their outputs. A
/// TimeDistributed calls its layer past that, but not what is within it.
static bool partsRegularizeActivity(const Layer &layer) {
  auto adds = [](const Layer &part) {
    return regularizesActivity(part) || partsRegularizeActivity(part);
  };
  if (layer.model)
    return llvm::any_of(layer.model->layers, adds);
  if (layer.className == "TimeDistributed")
    return partsRegularizeActivity(*layer.inner[0].layer);
  return llvm::any_of(layer.inner, [&](const InnerLayer &inner) { return adds(*inner.layer); });
}

static bool takesMask(const Layer &layer) {
  return layer.model || (layer.kind && llvm::is_contained(layer.kind->callArguments, "mask"));
}

/// The sizes of x after its first `count`, which are fixed.
static SmallVector<int64_t> sizesAfter(const Tensor &x, int64_t count, ArrayRef<int64_t> first) {
  SmallVector<int64_t> sizes(first);
  llvm::append_range(sizes, x.type().getShape().drop_front(count));
  return sizes;
}

static int64_t orInferred(int64_t size) { return ShapedType::isDynamic(size) ? -1 : size; }

namespace {
/// One call: what goes in, and how steps become examples and examples steps.
class Distribution {
public:
  Distribution(LayerCall &call, const Tensor &x, Value mask)
      : call(call), b(call.builder), x(x), mask(mask) {}

  FailureOr<Tensor> allAtOnce();
  FailureOr<Tensor> oneByOne();

private:
  LayerCall &call;
  ImplicitLocOpBuilder &b;
  const Tensor &x;
  Value mask; // of x's first dimensions, or null

  const Layer &layer() const { return *call.inner()[0].layer; }
  FailureOr<Tensor> apply(Tensor examples, Value examplesMask);
  Tensor asSteps(const Tensor &y);
  Tensor stepOf(const Tensor &sequence, int64_t index);
};
} // namespace

FailureOr<Tensor> Distribution::apply(Tensor examples, Value examplesMask) {
  CallOperands operands;
  examples.mask = {};
  if (examplesMask && takesMask(layer())) {
    auto rank = cast<RankedTensorType>(examplesMask.getType()).getRank();
    Tensor tensor{examplesMask, examples.symbols};
    tensor.symbols.truncate(rank);
    operands.further["mask"] = {tensor};
  }
  operands.inputs = {std::move(examples)};
  operands.regularizesActivity = false;
  FailureOr<std::vector<Tensor>> outputs = call.emit(layer(), std::move(operands));
  if (failed(outputs))
    return failure();
  if (outputs->size() != 1)
    return call.fail("its layer " + quoted(layer().name) + " returns " +
                     std::to_string(outputs->size()) + " tensors; it must return one");
  if (outputs->front().rank() < 1 ||
      llvm::any_of(outputs->front().type().getShape().drop_front(), ShapedType::isDynamic))
    return call.fail("its layer " + quoted(layer().name) + " returns shape " +
                     shapeText(outputs->front().type().getShape()) +
                     "; all sizes but the batch must be fixed");
  return outputs->front();
}

static Tensor asExamples(ImplicitLocOpBuilder &b, const Tensor &x) {
  int64_t n = x.size(0), t = x.size(1);
  bool known = !ShapedType::isDynamic(n) && !ShapedType::isDynamic(t);
  Tensor y{ReshapeOp::create(b, x.value, sizesAfter(x, 2, known ? n * t : -1)), {}};
  y.symbols.assign(y.rank(), fixedSize);
  if (!known)
    y.symbols[0] = derivedSize;
  return y;
}

/// [n * t, ...] -> [n, t, ...]. With two unknown sizes no reshape can tell which is which.
Tensor Distribution::asSteps(const Tensor &y) {
  int64_t n = orInferred(x.size(0)), t = orInferred(x.size(1));
  Tensor result{{}, {x.symbols[0], x.symbols[1]}};
  if (n == -1 && t == -1)
    result.value = GatherOp::create(b, y.value, placesOfRows(Expr(b, x.value)).value());
  else
    result.value = ReshapeOp::create(b, y.value, sizesAfter(y, 1, {n, t}));
  result.symbols.append(y.symbols.begin() + 1, y.symbols.end());
  return result;
}

FailureOr<Tensor> Distribution::allAtOnce() {
  Value masks;
  if (mask && takesMask(layer()))
    masks = asExamples(b, {mask, x.symbols}).value;
  FailureOr<Tensor> y = apply(asExamples(b, x), masks);
  if (failed(y))
    return failure();
  return asSteps(*y);
}

/// Step `index` of every example.
Tensor Distribution::stepOf(const Tensor &sequence, int64_t index) {
  SmallVector<int64_t> start(sequence.rank(), 0), limit(sequence.rank(), -1),
      strides(sequence.rank(), 1);
  start[1] = index;
  limit[1] = index + 1;
  Value one = SliceOp::create(b, sequence.value, start, limit, strides);
  Tensor step{ReshapeOp::create(b, one, sizesAfter(sequence, 2, orInferred(sequence.size(0)))),
              sequence.symbols};
  step.symbols.truncate(sequence.rank());
  step.symbols.erase(step.symbols.begin() + 1);
  return step;
}

FailureOr<Tensor> Distribution::oneByOne() {
  if (ShapedType::isDynamic(x.size(1)))
    return call.fail("its layer " + quoted(layer().name) +
                     " looks at whole batches, one step after the other; the number of steps must "
                     "be fixed");
  SmallVector<Value> steps;
  FailureOr<Tensor> y = failure();
  for (int64_t i = 0; i < x.size(1); ++i) {
    y = apply(stepOf(x, i), mask ? stepOf({mask, x.symbols}, i).value : Value());
    if (failed(y))
      return failure();
    steps.push_back(ReshapeOp::create(b, y->value, sizesAfter(*y, 1, {orInferred(x.size(0)), 1})));
  }
  Tensor result{ConcatOp::create(b, steps, 1), {x.symbols[0], fixedSize}};
  result.symbols.append(y->symbols.begin() + 1, y->symbols.end());
  return result;
}

static FailureOr<Tensor> timeDistributed(LayerCall &call) {
  FailureOr<Tensor> x = call.single(3);
  if (failed(x))
    return failure();
  if (llvm::any_of(x->type().getShape().drop_front(2), ShapedType::isDynamic))
    return call.fail("its input has shape " + shapeText(x->type().getShape()) +
                     "; only the batch and the number of steps may be unknown");
  Value mask = call.passedMask();
  int64_t rank = mask ? cast<RankedTensorType>(mask.getType()).getRank() : 2;
  if (mask && failed(call.mask(std::max<int64_t>(rank, 2))))
    return failure();
  Distribution distribution(call, *x, mask);
  const Layer &layer = *call.inner()[0].layer;
  bool oneByOne = (call.training && looksAtBatch(layer)) || partsRegularizeActivity(layer);
  return oneByOne ? distribution.oneByOne() : distribution.allAtOnce();
}

void registerTimeDistributed(Registration &layers) {
  static constexpr StringLiteral callArguments[] = {"training", "mask"};
  static constexpr LayerClass::Wrapped wraps[] = {{"layer", "layer"}};
  layers.push_back({"TimeDistributed", ArgumentTable(timeDistributedArguments), timeDistributed,
                    MaskRule::pass, callArguments, 1, wraps});
}

} // namespace formwork::keras
