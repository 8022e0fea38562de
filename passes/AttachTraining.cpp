// From a model's functions and what it was compiled with to its entries: train_step,
// evaluate_step, gradients, apply, init, reset_metrics and metrics beside predict.
//
// Layers' penalties (fw.penalty) become parts of the losses, and leave predict.
//
// gradients and apply are made by the functions that make train_step, so that one after the other
// is the same step. Refuses settings that no table under training/ knows, all at once.
#include "passes/Passes.h"
#include "passes/training/Initializers.h"
#include "passes/training/Masks.h"
#include "passes/training/OptimizerStep.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_ATTACHTRAINING
#include "passes/Passes.h.inc"

namespace {

/// What a model did with a batch.
struct ForwardPass {
  SmallVector<Value> inputs, outputs;
  /// One for each output; null for an output that has none.
  SmallVector<Value> masks;
  /// One for each output; null for an output that nothing looks at.
  SmallVector<Value> targets;
  /// One for each output; none where samples have no weights.
  SmallVector<SampleWeights> weights;
  /// What layers' outputs add to the loss, each a scalar.
  SmallVector<Expr> penalties;
};

/// Everything the entries are made from.
struct Model {
  ModuleOp module;
  func::FuncOp predict, forward;
  FloatType floatx = {};
  CompileConfig config = {};
  TrainingState state = {};
  /// Null if nothing in the model is random.
  VariableOp random = {};
  /// What penalties of layers' outputs are computed with, by what says it.
  llvm::DenseMap<Attribute, Regularizer> regularizers{};
  /// Trainable weights that no loss depends on.
  llvm::DenseSet<Operation *> unused = {};
};

//===--- the model and its losses ----------------------------------------------------------------

/// Labels must be below this; 0: anything goes, since nothing is known or another class is ignored.
int64_t limitOfLabels(const TrainedOutput &output) {
  int64_t classes = output.type.getShape().back();
  if (ShapedType::isDynamic(classes))
    return 0;
  std::optional<int64_t> ignored = output.loss ? output.loss->ignoredClass : std::nullopt;
  return !ignored || (*ignored >= 0 && *ignored < classes) ? classes : 0;
}

/// Arguments for the targets, then for the weights of samples.
void addTargets(Model &model, ForwardPass &pass, EntryFunction &entry) {
  for (const TrainedOutput &output : model.config.outputs) {
    Buffer target{output.name, "target", output.targetType, output.symbols};
    if (output.targetType && output.targetType.getRank() < output.type.getRank()) {
      target.symbols.pop_back();
      target.limit = limitOfLabels(output);
    }
    pass.targets.push_back(output.targetType ? entry.addArgument(target) : Value());
  }
  for (const TrainedOutput &output : model.config.outputs) {
    SampleWeights &weights = pass.weights.emplace_back();
    if (!output.weightType)
      continue;
    auto symbols = ArrayRef(output.symbols).take_front(output.weightType.getRank());
    Buffer buffer{output.name + "_sample_weight", "sample_weight", output.weightType,
                  llvm::to_vector(symbols)};
    weights = Expr(entry.builder(), entry.addArgument(buffer));
  }
}

/// What a layer's output adds to the loss: a mean over the batch, if it has one
/// (keras/src/layers/layer.py).
Expr buildPenalty(Model &model, EntryFunction &entry, PenaltyOp penalty, Value output) {
  Expr x(entry.builder(), output);
  Expr value = model.regularizers.at(penalty.getRegularizer())(x);
  if (cast<RankedTensorType>(output.getType()).getRank() > 0)
    value = value / countAlong(x, 0);
  return castTo(value, model.floatx);
}

/// Clones the body of `source`, predict or forward, after arguments for inputs, targets and
/// weights.
ForwardPass cloneForward(Model &model, func::FuncOp source, EntryFunction &entry) {
  ForwardPass pass;
  IRMapping map;
  for (BlockArgument input : source.getArguments()) {
    auto attributes = source.getArgAttrDict(input.getArgNumber());
    pass.inputs.push_back(entry.addArgument(input.getType(), attributes));
    map.map(input, pass.inputs.back());
  }
  addTargets(model, pass, entry);
  for (Operation &op : source.front().without_terminator())
    if (auto penalty = dyn_cast<PenaltyOp>(op)) {
      entry.enter(layerName(op.getLoc()));
      Value output = map.lookup(penalty.getX());
      pass.penalties.push_back(buildPenalty(model, entry, penalty, output));
    } else {
      entry.builder().clone(op, map);
    }
  auto results = source.front().getTerminator()->getOperands();
  for (auto [index, result] : llvm::enumerate(results))
    if (!isMask(source, index))
      pass.outputs.push_back(map.lookupOrDefault(result));
  for (const TrainedOutput &output : model.config.outputs)
    pass.masks.push_back(output.mask ? map.lookupOrDefault(results[*output.mask]) : Value());
  return pass;
}

/// The output, and its logits where its last op is softmax or sigmoid.
Prediction predictionOf(EntryFunction &entry, Value output, Value mask) {
  Prediction prediction{Expr(entry.builder(), output), {}, {}};
  if (mask)
    prediction.mask = Expr(entry.builder(), mask);
  Operation *last = output.getDefiningOp();
  if (isa_and_nonnull<SoftmaxOp, SigmoidOp>(last))
    prediction.logits = Expr(entry.builder(), last->getOperand(0));
  return prediction;
}

/// Adds to what is remembered.
void track(EntryFunction &entry, const Tracker &tracker, ArrayRef<Expr> ofBatch) {
  SmallVector<Expr> sums;
  for (VariableOp variable : tracker.sums)
    sums.emplace_back(entry.builder(), entry.read(variable));
  for (auto [variable, sum, addend] : llvm::zip_equal(tracker.sums, sums, ofBatch))
    entry.assign(variable, (sum + addend).value());
}

/// Adds what layers' outputs and the trainable weights' regularizers add to the loss.
Expr withPenalties(Model &model, EntryFunction &entry, const ForwardPass &pass, Expr loss) {
  for (Expr penalty : pass.penalties)
    loss = loss + penalty;
  for (auto [weight, regularizer] :
       llvm::zip_equal(model.state.trainable, model.state.regularizers))
    if (regularizer) {
      Expr penalty = regularizer(Expr(entry.builder(), entry.read(weight)));
      loss = loss + castTo(penalty, model.floatx);
    }
  return loss;
}

/// The weighted sum of the outputs' losses and of the weights' penalties; tracks it and them.
Expr buildTotalLoss(Model &model, EntryFunction &entry, const ForwardPass &pass) {
  entry.enter("loss");
  ImplicitLocOpBuilder &builder = entry.builder();
  std::optional<Expr> total;
  auto outputTracker = model.state.outputLosses.begin();
  for (auto [output, value, mask, target, weights] : llvm::zip_equal(
           model.config.outputs, pass.outputs, pass.masks, pass.targets, pass.weights)) {
    if (!output.loss)
      continue;
    Expr loss =
        buildLoss(*output.loss, Expr(builder, target), predictionOf(entry, value, mask), weights);
    loss = castTo(loss, model.floatx);
    // In `fit` Keras on TensorFlow does not see a batch's size here, and counts each batch once.
    if (!model.state.outputLosses.empty())
      track(entry, *outputTracker++, {loss, 1});
    if (output.lossWeight != 1)
      loss = loss * output.lossWeight;
    total = total ? *total + loss : loss;
  }
  total = withPenalties(model, entry, pass, *total);
  Expr batch = castTo(countAlong(Expr(builder, pass.outputs.front()), 0), model.floatx);
  track(entry, model.state.loss, {*total * batch, batch});
  return *total;
}

void buildMetricUpdates(Model &model, EntryFunction &entry, const ForwardPass &pass) {
  for (auto [tracked, tracker] : llvm::zip_equal(model.config.metrics, model.state.metrics)) {
    entry.enter(tracked.name);
    Expr target(entry.builder(), pass.targets[tracked.output]);
    Prediction prediction =
        predictionOf(entry, pass.outputs[tracked.output], pass.masks[tracked.output]);
    SampleWeights weights = tracked.weighted ? pass.weights[tracked.output] : SampleWeights();
    track(entry, tracker, tracked.metric.ofBatch(target, prediction, weights));
  }
}

//===--- gradients and their use -----------------------------------------------------------------

/// The next step's random numbers are others.
void advanceRandomness(Model &model, EntryFunction &entry) {
  if (!model.random)
    return;
  ImplicitLocOpBuilder &builder = entry.builder();
  Value one = ConstantOp::create(builder, builder.getI64TensorAttr({0, 1}));
  Expr state(builder, entry.read(model.random));
  entry.assign(model.random, (state + Expr(builder, one)).value());
}

/// Finds the weights that no loss depends on, and says which, as Keras does. They stay as they are.
void findUnused(Model &model, Value loss) {
  SetVector<Operation *> behind;
  BackwardSliceOptions options;
  options.inclusive = true;
  (void)getBackwardSlice(loss, &behind, options);
  for (VariableOp weight : model.state.trainable)
    if (llvm::none_of(behind, [&](Operation *op) {
          auto read = dyn_cast<ReadOp>(op);
          return read && read.getVariable() == weight.getSymName();
        })) {
      model.unused.insert(weight);
      weight.emitWarning() << "no loss depends on '" << weight.getSymName()
                           << "': it has no gradient and will not be trained";
    }
}

/// The loss, and its gradient for each trainable weight.
SmallVector<Value> buildGradients(Model &model, EntryFunction &entry, Expr loss) {
  SmallVector<Value> weights;
  for (VariableOp weight : model.state.trainable)
    weights.push_back(entry.read(weight));
  if (weights.empty())
    return {};
  ImplicitLocOpBuilder &builder = entry.builder();
  double scale = model.config.optimizer.settings.lossScale;
  Value cotangent = scale == 1 ? Value() : Expr(scale).meeting(loss).value();
  auto gradient = GradientOp::create(builder, loss.value(), cotangent, weights,
                                     /*unconnected_zeros=*/true);
  SmallVector<Value> gradients(gradient.getGradients());
  if (scale != 1)
    for (Value &value : gradients)
      value = (Expr(builder, value) / scale).value();
  return gradients;
}

/// One step of the optimizer.
void buildApply(Model &model, EntryFunction &entry, ArrayRef<Value> gradients) {
  SmallVector<Value> used(gradients);
  for (auto [weight, gradient] : llvm::zip_equal(model.state.trainable, used))
    if (model.unused.contains(weight))
      gradient = {};
  buildOptimizerStep(model.config.optimizer, model.state, used, entry);
}

//===--- entries ---------------------------------------------------------------------------------

Buffer lossBuffer(Model &model) {
  return {"loss", "loss", RankedTensorType::get({}, model.floatx), {}};
}

Buffer gradientBuffer(VariableOp weight) {
  return {weight.getSymName().str(), "gradient", cast<RankedTensorType>(weight.getType()), {}};
}

/// What train_step and gradients have in common: the loss and its gradients.
std::pair<Value, SmallVector<Value>> buildBackward(Model &model, EntryFunction &entry) {
  ForwardPass pass = cloneForward(model, model.forward, entry);
  Expr loss = buildTotalLoss(model, entry, pass);
  SmallVector<Value> gradients = buildGradients(model, entry, loss);
  buildMetricUpdates(model, entry, pass);
  advanceRandomness(model, entry);
  return {loss.value(), gradients};
}

void buildTrainStep(Model &model) {
  EntryFunction entry(model.module, "train_step");
  auto [loss, gradients] = buildBackward(model, entry);
  findUnused(model, loss);
  buildApply(model, entry, gradients);
  entry.addResult(loss, lossBuffer(model));
  entry.finish();
}

void buildEvaluateStep(Model &model) {
  EntryFunction entry(model.module, "evaluate_step");
  ForwardPass pass = cloneForward(model, model.predict, entry);
  Expr loss = buildTotalLoss(model, entry, pass);
  buildMetricUpdates(model, entry, pass);
  entry.addResult(loss.value(), lossBuffer(model));
  entry.finish();
}

void buildGradientsEntry(Model &model) {
  EntryFunction entry(model.module, "gradients");
  auto [loss, gradients] = buildBackward(model, entry);
  entry.addResult(loss, lossBuffer(model));
  for (auto [weight, gradient] : llvm::zip_equal(model.state.trainable, gradients))
    entry.addResult(gradient, gradientBuffer(weight));
  entry.finish();
}

void buildApplyEntry(Model &model) {
  EntryFunction entry(model.module, "apply");
  SmallVector<Value> gradients;
  for (VariableOp weight : model.state.trainable)
    gradients.push_back(entry.addArgument(gradientBuffer(weight)));
  buildApply(model, entry, gradients);
  entry.finish();
}

void buildFinalizeEntry(Model &model) {
  if (!model.config.optimizer.settings.averages)
    return;
  EntryFunction entry(model.module, "finalize");
  buildFinalize(model.state, entry);
  entry.finish();
}

void buildResetMetrics(Model &model) {
  EntryFunction entry(model.module, "reset_metrics");
  ImplicitLocOpBuilder &builder = entry.builder();
  for (Tracker tracker : model.state.trackers())
    for (VariableOp variable : tracker.sums) {
      auto zero = builder.getZeroAttr(variable.getType());
      entry.assign(variable, ConstantOp::create(builder, cast<ElementsAttr>(zero)));
    }
  entry.finish();
}

void buildMetrics(Model &model) {
  EntryFunction entry(model.module, "metrics");
  ImplicitLocOpBuilder &builder = entry.builder();
  auto add = [&](const Tracker &tracker, const MetricResult &result) {
    entry.enter(tracker.name);
    SmallVector<Expr> sums;
    for (VariableOp variable : tracker.sums)
      sums.emplace_back(builder, entry.read(variable));
    Value value = result(sums).value();
    auto type = cast<RankedTensorType>(value.getType());
    entry.addResult(value, {tracker.name, "metric", type, {}});
  };
  add(model.state.loss, meanResult);
  for (auto [tracked, tracker] : llvm::zip_equal(model.config.metrics, model.state.metrics))
    add(tracker, tracked.metric.result);
  for (const Tracker &tracker : model.state.outputLosses)
    add(tracker, meanResult);
  entry.finish();
}

//===--- init ------------------------------------------------------------------------------------

/// Random numbers of variable i are those of stream i. The counter before the first step's keeps
/// them apart from what the model draws while it trains.
Value initialRandomness(EntryFunction &entry, Expr seed, int64_t counter) {
  ImplicitLocOpBuilder &builder = entry.builder();
  Expr first(builder, ConstantOp::create(builder, builder.getI64TensorAttr({1, 0})));
  Expr second(builder, ConstantOp::create(builder, builder.getI64TensorAttr({0, counter})));
  return (seed * first + second).value();
}

void buildInit(ModuleOp module, Problems &problems) {
  EntryFunction entry(module, "init");
  auto scalar = RankedTensorType::get({}, IntegerType::get(module.getContext(), 64));
  Expr seed(entry.builder(), entry.addArgument({"seed", "seed", scalar, {}}));
  Value state = initialRandomness(entry, seed, -1);
  for (auto [stream, variable] : llvm::enumerate(module.getOps<VariableOp>())) {
    entry.enter(variable.getSymName());
    auto role = variable->getAttrOfType<StringAttr>("role");
    if (role && role.getValue() == "rng") {
      entry.assign(variable, initialRandomness(entry, seed, 0));
      continue;
    }
    RandomSource source{state, int64_t(stream)};
    if (Initializer initialize = readInitializer(variable, problems))
      entry.assign(variable, initialize(entry.builder(), source));
  }
  entry.finish();
}

//===--- the pass --------------------------------------------------------------------------------

SmallVector<TrainedOutput> outputsOf(func::FuncOp predict) {
  SmallVector<TrainedOutput> outputs;
  for (auto [index, type] : llvm::enumerate(predict.getResultTypes())) {
    if (isMask(predict, index)) {
      auto name = predict.getResultAttrOfType<StringAttr>(index, "fw.name");
      llvm::find_if(outputs, [&](auto &output) { return output.name == name; })->mask = index;
      continue;
    }
    TrainedOutput output;
    output.name = predict.getResultAttrOfType<StringAttr>(index, "fw.name").str();
    output.type = cast<RankedTensorType>(type);
    auto symbols = predict.getResultAttrOfType<DenseI64ArrayAttr>(index, "fw.symbols");
    output.symbols = llvm::to_vector(symbols.asArrayRef());
    outputs.push_back(output);
  }
  return outputs;
}

/// Losses and metrics count what a mask leaves of an output's samples.
void checkMasks(Model &model, Problems &problems) {
  for (const TrainedOutput &output : model.config.outputs) {
    if (!output.mask || !output.targetType)
      continue;
    auto mask = cast<RankedTensorType>(model.predict.getResultTypes()[*output.mask]);
    if (mask.getRank() != output.type.getRank() - 1)
      problems.report() << "output '" << output.name << "', " << output.type << ", has a mask, "
                        << mask << ", which is not of all its dimensions but the last: no loss "
                        << "can use it; let a layer that drops masks come last";
  }
}

VariableOp findRandom(ModuleOp module) {
  for (auto variable : module.getOps<VariableOp>())
    if (auto role = variable->getAttrOfType<StringAttr>("role"); role && role.getValue() == "rng")
      return variable;
  return {};
}

/// Reads the regularizers of layers' outputs.
void readPenalties(Model &model, Problems &problems) {
  for (func::FuncOp function : {model.predict, model.forward})
    function.walk([&](PenaltyOp penalty) {
      int64_t rank = cast<RankedTensorType>(penalty.getX().getType()).getRank();
      auto [known, isNew] = model.regularizers.try_emplace(penalty.getRegularizer());
      if (isNew)
        known->second =
            readRegularizer(penalty.getRegularizer(), layerName(penalty.getLoc()), rank, problems);
    });
}

void erasePenalties(func::FuncOp predict) {
  predict.walk([](PenaltyOp penalty) { penalty.erase(); });
}

void buildTraining(Model &model, DictionaryAttr settings, bool sampleWeights, Problems &problems) {
  auto floatx = model.module->getAttrOfType<TypeAttr>("fw.floatx");
  model.floatx = cast<FloatType>(floatx.getValue());
  model.random = findRandom(model.module);
  readPenalties(model, problems);
  model.config =
      readCompileConfig(settings, outputsOf(model.predict), model.floatx, sampleWeights, problems);
  checkMasks(model, problems);
  if (problems.any())
    return;
  model.state = declareTrainingState(model.module, model.config, model.floatx, problems);
  if (problems.any())
    return;
  buildTrainStep(model);
  buildEvaluateStep(model);
  buildGradientsEntry(model);
  buildApplyEntry(model);
  buildFinalizeEntry(model);
  buildResetMetrics(model);
  buildMetrics(model);
}

struct AttachTraining : impl::AttachTrainingBase<AttachTraining> {
  using AttachTrainingBase::AttachTrainingBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    Model model{module, module.lookupSymbol<func::FuncOp>("predict"),
                module.lookupSymbol<func::FuncOp>("forward")};
    if (!model.predict || isa_and_nonnull<StringAttr>(model.predict->getAttr("fw.entry")))
      return;
    Problems problems(module.getLoc());
    model.predict->setAttr("fw.entry", StringAttr::get(&getContext(), "predict"));
    auto settings = module->getAttrOfType<DictionaryAttr>("fw.training");
    if (train && settings && model.forward)
      buildTraining(model, settings, sampleWeights, problems);
    erasePenalties(model.predict);
    if (init)
      buildInit(module, problems);
    if (model.forward)
      model.forward.erase();
    dropMasks(model.predict);
    if (problems.any())
      signalPassFailure();
  }
};
} // namespace

} // namespace formwork
