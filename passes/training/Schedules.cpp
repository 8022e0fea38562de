// The formulas of keras/src/optimizers/schedules/learning_rate_schedule.py, in its order of
// operations: Keras computes them in f32 whatever the model's type is, and who compares sees it.
#include "passes/training/Schedules.h"
#include "passes/training/Registry.h"

#include <numbers>

using namespace mlir;

namespace formwork {

static Expr ceil(Expr x) { return -floor(-x); }

/// A setting, which Keras rounds to f32 before it computes with it.
static float single(Arguments &arguments, StringRef name, double byDefault = 0) {
  return float(arguments.real(name, byDefault));
}

/// A length of time in steps, which must be positive.
static float readSteps(Arguments &arguments, StringRef name) {
  float steps = single(arguments, name);
  if (steps <= 0)
    arguments.reject(name) << "and must be greater than 0";
  return steps;
}

//===--- one function per class ------------------------------------------------------------------

static Schedule exponentialDecay(Arguments &arguments) {
  float initial = single(arguments, "initial_learning_rate");
  float decaySteps = readSteps(arguments, "decay_steps");
  float rate = single(arguments, "decay_rate", 1);
  bool staircase = arguments.flag("staircase", false);
  return [=](Expr step) {
    Expr p = step / decaySteps;
    return initial * pow(rate, staircase ? floor(p) : p);
  };
}

static Schedule inverseTimeDecay(Arguments &arguments) {
  float initial = single(arguments, "initial_learning_rate");
  float decaySteps = readSteps(arguments, "decay_steps");
  float rate = single(arguments, "decay_rate", 1);
  bool staircase = arguments.flag("staircase", false);
  return [=](Expr step) {
    Expr p = step / decaySteps;
    return initial / (1 + rate * (staircase ? floor(p) : p));
  };
}

static Schedule piecewiseConstantDecay(Arguments &arguments) {
  std::vector<double> boundaries = arguments.reals("boundaries");
  std::vector<double> values = arguments.reals("values");
  if (values.size() != boundaries.size() + 1) {
    arguments.reject("values") << "and must have one more element than boundaries";
    return {};
  }
  return [=](Expr step) {
    // Values in the order of time: each boundary passed replaces the value before it. Keras
    // compares whole numbers, so a boundary loses its fraction.
    Expr rate = Expr(values[0]).meeting(step);
    for (auto [boundary, value] : llvm::zip(boundaries, llvm::drop_begin(values)))
      rate = select(step > std::trunc(boundary), value, rate);
    return rate;
  };
}

static Schedule polynomialDecay(Arguments &arguments) {
  float initial = single(arguments, "initial_learning_rate");
  float decaySteps = readSteps(arguments, "decay_steps");
  float end = single(arguments, "end_learning_rate", 0.0001);
  float power = single(arguments, "power", 1);
  bool cycle = arguments.flag("cycle", false);
  return [=](Expr step) {
    // A cycle is stretched to the first multiple of decay_steps that is not yet passed.
    Expr p = cycle ? step / (decaySteps * max(ceil(step / decaySteps), 1))
                   : min(step, decaySteps) / decaySteps;
    Expr left = 1 - p;
    return (initial - end) * (power == 1 ? left : pow(left, power)) + end;
  };
}

/// From 1 at the beginning to alpha at the end of a period.
static Expr cosineOf(Expr fraction, double alpha) {
  return (1 - alpha) * (0.5 * (1 + cos(std::numbers::pi * fraction))) + alpha;
}

static Schedule cosineDecay(Arguments &arguments) {
  float initial = single(arguments, "initial_learning_rate");
  float decaySteps = readSteps(arguments, "decay_steps");
  double alpha = arguments.real("alpha", 0);
  bool warmsUp = bool(arguments.raw("warmup_target"));
  float target = warmsUp ? single(arguments, "warmup_target") : initial;
  float warmupSteps = single(arguments, "warmup_steps");
  if (!warmsUp)
    return [=](Expr step) { return initial * cosineOf(min(step, decaySteps) / decaySteps, alpha); };
  return [=](Expr step) {
    Expr now = min(step, decaySteps + warmupSteps);
    Expr decayed = target * cosineOf((now - warmupSteps) / decaySteps, alpha);
    if (warmupSteps == 0)
      return decayed;
    Expr warming = (target - initial) * (now / warmupSteps) + initial;
    return select(warmupSteps > now, warming, decayed);
  };
}

/// SGDR (Loshchilov & Hutter): period i is t_mul^i times the first, its height m_mul^i.
static Schedule cosineDecayRestarts(Arguments &arguments) {
  float initial = single(arguments, "initial_learning_rate");
  float firstSteps = readSteps(arguments, "first_decay_steps");
  float tMul = single(arguments, "t_mul", 2), mMul = single(arguments, "m_mul", 1);
  float alpha = single(arguments, "alpha");
  return [=](Expr step) {
    Expr elapsed = step / firstSteps, period = floor(elapsed), fraction = elapsed - period;
    if (tMul != 1) {
      // At a restart the quotient is a whole number, which rounding must not fall short of.
      period = floor(log(1 - elapsed * (1 - tMul)) / std::log(tMul) + 1e-6);
      Expr begin = (1 - pow(tMul, period)) / (1 - tMul);
      fraction = (elapsed - begin) / pow(tMul, period);
    }
    Expr height = mMul == 1 ? Expr(1) : pow(mMul, period);
    Expr cosine = 0.5 * (1 + cos(std::numbers::pi * fraction));
    return initial * ((1 - alpha) * (mMul == 1 ? cosine : height * cosine) + alpha);
  };
}

//===--- the table -------------------------------------------------------------------------------

namespace {
struct ScheduleRow {
  SmallVector<StringRef> names;
  Schedule (*read)(Arguments &);
};
} // namespace

static ArrayRef<ScheduleRow> schedules() {
  static const ScheduleRow table[] = {
      {{"ExponentialDecay"}, exponentialDecay},
      {{"PiecewiseConstantDecay"}, piecewiseConstantDecay},
      {{"PolynomialDecay"}, polynomialDecay},
      {{"InverseTimeDecay"}, inverseTimeDecay},
      {{"CosineDecay"}, cosineDecay},
      {{"CosineDecayRestarts"}, cosineDecayRestarts},
  };
  return table;
}

std::vector<StringRef> scheduleNames() { return classNames(schedules()); }

Schedule readSchedule(Attribute keras, Problems &problems) {
  std::optional<KerasObject> object = readObject(keras, "the learning rate", problems);
  if (!object)
    return {};
  const ScheduleRow *row = findByName(schedules(), object->name);
  if (!row) {
    reportUnknown(problems, "learning rate schedule", object->name, schedules());
    return {};
  }
  Arguments arguments(("schedule '" + object->name + "'").str(), object->config, problems);
  arguments.ignore({"name"});
  Schedule schedule = row->read(arguments);
  arguments.finish();
  return schedule;
}

} // namespace formwork
