// Declares the variables of training; see the header.
#include "passes/training/TrainingState.h"

using namespace mlir;

namespace formwork {

namespace {
/// Writes fw.variable ops after those that are there.
class Declarations {
public:
  explicit Declarations(ModuleOp module) : builder(module.getLoc(), module.getContext()) {
    builder.setInsertionPointToStart(module.getBody());
    for (auto variable : module.getOps<VariableOp>())
      builder.setInsertionPointAfter(variable);
  }

  VariableOp declare(const Twine &name, RankedTensorType type, StringRef role, double value) {
    auto variable = VariableOp::create(builder, name.str(), type);
    variable->setAttr("role", builder.getStringAttr(role));
    variable->setAttr("initializer", constantInitializer(value));
    return variable;
  }

  /// The same with the next number among the variables that Keras saves for its optimizer.
  VariableOp declareOfOptimizer(const Twine &name, RankedTensorType type, StringRef role,
                                double value) {
    VariableOp variable = declare(name, type, role, value);
    variable->setAttr("path", builder.getStringAttr("optimizer/vars/" + Twine(saved++)));
    return variable;
  }

  Tracker declareTracker(StringRef name, ArrayRef<Accumulator> accumulators, Type element) {
    Tracker tracker{name.str(), {}};
    for (const Accumulator &sum : accumulators)
      tracker.sums.push_back(declare("metrics/" + name + "/" + sum.name,
                                     RankedTensorType::get(sum.shape, element), "metric_state", 0));
    return tracker;
  }

  /// A running mean.
  Tracker declareMean(StringRef name, Type element) {
    return declareTracker(name, {{"total", {}}, {"count", {}}}, element);
  }

private:
  Attribute constantInitializer(double value) {
    auto config = builder.getDictionaryAttr({});
    if (value != 0)
      config =
          builder.getDictionaryAttr(builder.getNamedAttr("value", builder.getF64FloatAttr(value)));
    return builder.getDictionaryAttr(
        {builder.getNamedAttr("class_name", builder.getStringAttr(value ? "Constant" : "Zeros")),
         builder.getNamedAttr("config", config)});
  }

  ImplicitLocOpBuilder builder;
  int saved = 0;
};
} // namespace

static OptimizerState declareOptimizer(Declarations &declarations, const Optimizer &optimizer,
                                       MutableArrayRef<VariableOp> trainable, FloatType floatx) {
  OptimizerState state;
  auto counter = RankedTensorType::get({}, IntegerType::get(floatx.getContext(), 64));
  state.iterations =
      declarations.declareOfOptimizer(optimizer.name + "/iteration", counter, "iterations", 0);
  if (!optimizer.schedule)
    state.learningRate = declarations.declareOfOptimizer(optimizer.name + "/learning_rate",
                                                         RankedTensorType::get({}, floatx),
                                                         "hyperparameter", optimizer.learningRate);
  auto declareSlot = [&](VariableOp weight, const Slot &slot) {
    std::string name = (optimizer.name + "/" + weight.getSymName() + "/" + slot.name).str();
    VariableOp variable =
        declarations.declareOfOptimizer(name, weight.getType(), "slot", slot.initial);
    variable.setSlotOfAttr(FlatSymbolRefAttr::get(weight));
    return variable;
  };
  if (optimizer.settings.averages)
    for (VariableOp weight : trainable)
      state.averages.push_back(declareSlot(weight, {"average"}));
  if (optimizer.settings.accumulationSteps > 1)
    for (VariableOp weight : trainable)
      state.accumulators.push_back(declareSlot(weight, {"gradient_accumulator"}));
  state.slots.resize(trainable.size());
  for (auto &group : optimizer.slotGroups)
    for (auto [weight, slots] : llvm::zip(trainable, state.slots))
      for (const Slot &slot : group)
        slots.push_back(declareSlot(weight, slot));
  for (const Slot &slot : optimizer.shared)
    state.shared.push_back(declarations.declareOfOptimizer(
        optimizer.name + "/" + slot.name, RankedTensorType::get({}, floatx), "slot", slot.initial));
  return state;
}

TrainingState declareTrainingState(ModuleOp module, const CompileConfig &config, FloatType floatx,
                                   Problems &problems) {
  TrainingState state;
  for (auto variable : module.getOps<VariableOp>())
    if (variable.getTrainable())
      state.trainable.push_back(variable);
  for (VariableOp weight : state.trainable) {
    int64_t rank = cast<RankedTensorType>(weight.getType()).getRank();
    state.regularizers.push_back(
        readRegularizer(weight->getAttr("regularizer"), weight.getSymName(), rank, problems));
    state.constraints.push_back(
        readConstraint(weight->getAttr("constraint"), weight.getSymName(), rank, problems));
  }
  Declarations declarations(module);
  state.optimizer = declareOptimizer(declarations, config.optimizer, state.trainable, floatx);
  state.loss = declarations.declareMean("loss", floatx);
  for (const TrackedMetric &metric : config.metrics)
    state.metrics.push_back(declarations.declareTracker(metric.name, metric.metric.accumulators,
                                                        metric.metric.sumType));
  auto hasLoss = [](const TrainedOutput &output) { return output.loss.has_value(); };
  if (llvm::count_if(config.outputs, hasLoss) > 1)
    for (const TrainedOutput &output : llvm::make_filter_range(config.outputs, hasLoss))
      state.outputLosses.push_back(declarations.declareMean(output.name + "_loss", floatx));
  return state;
}

SmallVector<Tracker> TrainingState::trackers() const {
  SmallVector<Tracker> all = {loss};
  llvm::append_range(all, metrics);
  llvm::append_range(all, outputLosses);
  return all;
}

} // namespace formwork
