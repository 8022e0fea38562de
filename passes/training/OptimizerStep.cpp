// What keras/src/optimizers/base_optimizer.py does around an optimizer's rule, in its order:
// average the gradients of several steps, clip them, decay the weights, move them, average the
// weights.
//
// A step that only accumulates computes what a whole one does and keeps the old values: there is no
// branch, and a step's time is the same for all.
#include "passes/training/OptimizerStep.h"

using namespace mlir;

namespace formwork {

namespace {
class OptimizerStep {
public:
  OptimizerStep(const Optimizer &optimizer, const TrainingState &training,
                SmallVector<Value> gradients, EntryFunction &entry)
      : optimizer(optimizer), settings(optimizer.settings), training(training),
        state(training.optimizer), gradients(std::move(gradients)), entry(entry),
        builder(entry.builder()), f64(builder.getF64Type()),
        steps(builder, entry.read(state.iterations)) {}

  void build() {
    countIterations();
    learningRate = buildLearningRate();
    buildScalars();
    accumulate();
    clip();
    for (size_t i = 0; i < gradients.size(); ++i)
      if (gradients[i])
        move(i);
    averageWeights();
    constrain();
    entry.assign(state.iterations, (steps + 1).value());
  }

private:
  Type typeOf(VariableOp weight) { return getElementTypeOrSelf(weight.getType()); }
  Expr read(VariableOp variable) { return {builder, entry.read(variable)}; }
  void assign(VariableOp variable, Expr value) { entry.assign(variable, value.value()); }

  /// Whether `number`, a whole one in f64, is a multiple.
  Expr isMultiple(Expr number, int64_t of) {
    return equal(number - floor(number / double(of)) * double(of), 0);
  }

  /// The number of whole steps before this one, and whether this one is whole.
  void countIterations() {
    if (settings.accumulationSteps == 1)
      return;
    Expr number = castTo(steps, f64);
    wholeSteps = floor(number / double(settings.accumulationSteps));
    isWhole = isMultiple(number + 1, settings.accumulationSteps);
  }

  /// The step's number for the rule, from 1, in f64.
  Expr ruleStep() { return wholeSteps ? *wholeSteps + 1 : castTo(steps + 1, f64); }

  /// Schedules follow the steps that are taken, whole ones or not.
  Expr buildLearningRate() {
    if (const Schedule &schedule = optimizer.schedule)
      return castTo(schedule(castTo(steps, builder.getF32Type())), f64);
    return castTo(read(state.learningRate), f64);
  }

  void buildScalars() {
    SmallVector<Expr> shared;
    for (VariableOp variable : state.shared)
      shared.push_back(castTo(read(variable), f64));
    scalars = optimizer.scalars(*learningRate, ruleStep(), shared);
    for (auto [variable, value] : llvm::zip_equal(state.shared, shared))
      assign(variable, ifWhole(castTo(value, typeOf(variable)), read(variable)));
  }

  /// What a step that only accumulates leaves as it was.
  Expr ifWhole(Expr after, Expr before) {
    return isWhole ? select(*isWhole, after, before) : after;
  }

  void accumulate() {
    for (auto [gradient, accumulator] : llvm::zip(gradients, state.accumulators)) {
      if (!gradient)
        continue;
      Expr all = Expr(builder, gradient) + read(accumulator);
      gradient = (all / double(settings.accumulationSteps)).value();
      assign(accumulator, select(*isWhole, 0, all));
    }
  }

  //===--- clipping ------------------------------------------------------------------------------

  Expr sumOfSquares(Value gradient) {
    auto rank = cast<RankedTensorType>(gradient.getType()).getRank();
    Expr squares = square(Expr(builder, gradient));
    return rank ? sum(squares, llvm::to_vector(llvm::seq<int64_t>(0, rank))) : squares;
  }

  /// A gradient longer than the norm is made as long.
  Value clippedByNorm(Value gradient) {
    Expr length = sqrt(sumOfSquares(gradient));
    return (Expr(builder, gradient) * settings.clipNorm / max(length, settings.clipNorm)).value();
  }

  /// The same for all gradients together. A length that is no finite number makes all NaN.
  void clipTogether() {
    std::optional<Expr> squares;
    for (Value gradient : gradients)
      if (gradient)
        squares = squares ? *squares + sumOfSquares(gradient) : sumOfSquares(gradient);
    if (!squares)
      return;
    double norm = settings.globalClipNorm;
    Expr length = sqrt(*squares);
    Expr scale = norm * min(1 / length, 1 / norm) + (length - length);
    for (Value &gradient : gradients)
      if (gradient)
        gradient = (Expr(builder, gradient) * scale).value();
  }

  void clip() {
    if (settings.globalClipNorm > 0)
      return clipTogether();
    for (Value &gradient : gradients) {
      if (gradient && settings.clipNorm > 0)
        gradient = clippedByNorm(gradient);
      else if (gradient && settings.clipValue > 0)
        gradient =
            max(min(Expr(builder, gradient), settings.clipValue), -settings.clipValue).value();
    }
  }

  //===--- weights -------------------------------------------------------------------------------

  void move(size_t index) {
    VariableOp weight = training.trainable[index];
    SmallVector<Expr> before, slots, sizes;
    for (VariableOp slot : state.slots[index])
      before.push_back(read(slot));
    slots = before;
    for (Expr scalar : scalars)
      sizes.push_back(castTo(scalar, typeOf(weight)));
    Expr old = read(weight), w = old;
    if (settings.weightDecay)
      w = w - w * *settings.weightDecay * castTo(*learningRate, typeOf(weight));
    w = optimizer.update(w, Expr(builder, gradients[index]), sizes, slots);
    assign(weight, ifWhole(w, old));
    for (auto [slot, after, value] : llvm::zip_equal(state.slots[index], slots, before))
      assign(slot, ifWhole(after, value));
  }

  /// Averages begin with the weights after the first whole step.
  void averageWeights() {
    if (!settings.averages)
      return;
    Expr whole = wholeSteps ? *wholeSteps : castTo(steps, f64);
    for (auto [weight, average] : llvm::zip_equal(training.trainable, state.averages)) {
      Type type = typeOf(weight);
      Expr momentum = castTo(notEqual(whole, 0), type) * settings.averageMomentum;
      Expr w = read(weight);
      Expr next = momentum * read(average) + (1 - momentum) * w;
      assign(average, next);
      if (int64_t frequency = settings.overwriteFrequency)
        assign(weight, select(isMultiple(whole + 1, frequency), next, w));
    }
  }

  /// Weights that have a gradient are brought back to what is allowed.
  void constrain() {
    for (auto [weight, constraint, gradient] :
         llvm::zip_equal(training.trainable, training.constraints, gradients))
      if (constraint && gradient)
        assign(weight, constraint(read(weight)));
  }

  const Optimizer &optimizer;
  const OptimizerSettings &settings;
  const TrainingState &training;
  const OptimizerState &state;
  SmallVector<Value> gradients;
  EntryFunction &entry;
  ImplicitLocOpBuilder &builder;
  Type f64;
  Expr steps;
  /// Of steps whose gradients are accumulated; none if each step is whole.
  std::optional<Expr> wholeSteps, isWhole;
  std::optional<Expr> learningRate;
  StepScalars scalars;
};
} // namespace

void buildOptimizerStep(const Optimizer &optimizer, const TrainingState &state,
                        ValueRange gradients, EntryFunction &entry) {
  if (state.trainable.empty())
    return;
  entry.enter(optimizer.name);
  OptimizerStep(optimizer, state, llvm::to_vector(gradients), entry).build();
}

void buildFinalize(const TrainingState &state, EntryFunction &entry) {
  for (auto [weight, average] : llvm::zip_equal(state.trainable, state.optimizer.averages))
    entry.assign(weight, entry.read(average));
}

} // namespace formwork
