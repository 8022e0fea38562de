// The optimizers' rules, as keras/src/optimizers/*.py compute them, and the settings that Keras's
// base class has for all of them, which OptimizerStep.cpp puts around any rule.
//
// Where a rule has a sum of moments or a quotient of powers that all weights share, it is computed
// once, in f64.
#include "passes/training/Optimizers.h"
#include "passes/training/Registry.h"

using namespace mlir;

namespace formwork {

using Slots = MutableArrayRef<Expr>;
using Scalars = ArrayRef<Expr>;

/// What Keras computes with on TensorFlow where it casts a number of Python's to a tensor's type,
/// f64 included: it becomes an f32 on the way.
static double throughSingle(double number) { return float(number); }

/// The rate is all that weights share.
static StepScalars onlyRate(Expr learningRate, Expr, Slots) { return {learningRate}; }

/// A moving average's next value: rho x + (1 - rho) next.
static Expr averaged(Expr x, double rho, Expr next) { return x * rho + next * (1 - rho); }

//===--- one function per class ------------------------------------------------------------------

/// w <- w - rate g, or with momentum m <- momentum m - rate g, w <- w + m; Nesterov looks ahead.
static void readSGD(Optimizer &sgd, Arguments &arguments) {
  double momentum = throughSingle(arguments.real("momentum", 0));
  bool nesterov = arguments.flag("nesterov", false);
  if (momentum < 0 || momentum > 1)
    arguments.reject("momentum") << "and must be between 0 and 1";
  sgd.scalars = onlyRate;
  if (momentum == 0) {
    sgd.update = [](Expr w, Expr g, Scalars rate, Slots) { return w - g * rate[0]; };
    return;
  }
  sgd.slotGroups = {{{"momentum"}}};
  sgd.update = [=](Expr w, Expr g, Scalars rate, Slots slots) {
    Expr &m = slots[0];
    m = m * momentum - g * rate[0];
    return nesterov ? w + (m * momentum - g * rate[0]) : w + m;
  };
}

/// beta^t. In f64, where 1 minus it keeps its digits although beta is close to 1.
static Expr powerOf(double beta, Expr t) {
  // Some finite logarithm for beta = 0, far enough for its powers to be 0.
  return exp(std::max(std::log(throughSingle(beta)), -1e3) * t);
}

static Expr complementOfPower(double beta, Expr t) { return 1 - powerOf(beta, t); }

/// Kingma & Ba, in the order of the text before their section 2.1: the corrections of both moments
/// go into the step size.
static void readAdam(Optimizer &adam, Arguments &arguments) {
  double beta1 = arguments.real("beta_1", 0.9), beta2 = arguments.real("beta_2", 0.999);
  double epsilon = arguments.real("epsilon", 1e-7);
  bool amsgrad = arguments.flag("amsgrad", false);
  adam.slotGroups = {{{"momentum"}, {"velocity"}}};
  if (amsgrad)
    adam.slotGroups.push_back({{"velocity_hat"}});
  adam.scalars = [=](Expr learningRate, Expr t, Slots) -> StepScalars {
    return {learningRate * sqrt(complementOfPower(beta2, t)) / complementOfPower(beta1, t)};
  };
  adam.update = [=](Expr w, Expr g, Scalars alpha, Slots slots) {
    Expr &m = slots[0], &v = slots[1];
    m = m + (g - m) * (1 - beta1);
    v = v + (square(g) - v) * (1 - beta2);
    if (amsgrad)
      slots[2] = max(slots[2], v);
    return w - m * alpha[0] / (sqrt(amsgrad ? slots[2] : v) + epsilon);
  };
}

/// Loshchilov & Hutter: Adam, and a decay of weights beside it that is not optional.
static void readAdamW(Optimizer &adam, Arguments &arguments) {
  readAdam(adam, arguments);
  if (!adam.settings.weightDecay)
    arguments.reject("weight_decay") << "and AdamW needs a number; say Adam to have none";
}

/// Tieleman & Hinton: the gradient over its root mean square, or over its standard deviation.
static void readRMSprop(Optimizer &rmsprop, Arguments &arguments) {
  double rho = arguments.real("rho", 0.9), momentum = arguments.real("momentum", 0);
  double epsilon = arguments.real("epsilon", 1e-7);
  bool centered = arguments.flag("centered", false);
  rmsprop.slotGroups = {{{"velocity"}}};
  if (momentum > 0)
    rmsprop.slotGroups.push_back({{"momentum"}});
  if (centered)
    rmsprop.slotGroups.push_back({{"average_gradient"}});
  rmsprop.scalars = onlyRate;
  rmsprop.update = [=](Expr w, Expr g, Scalars rate, Slots slots) {
    Expr &velocity = slots[0];
    velocity = averaged(velocity, rho, square(g));
    Expr variance = velocity;
    if (centered) {
      Expr &average = slots.back();
      average = averaged(average, rho, g);
      variance = velocity - square(average);
    }
    Expr increment = g * rate[0] / sqrt(variance + epsilon);
    if (momentum > 0)
      increment = slots[1] = slots[1] * momentum + increment;
    return w - increment;
  };
}

/// Duchi et al.: the gradient over the root of the sum of all its squares.
static void readAdagrad(Optimizer &adagrad, Arguments &arguments) {
  double epsilon = arguments.real("epsilon", 1e-7);
  adagrad.slotGroups = {
      {{"accumulator", throughSingle(arguments.real("initial_accumulator_value", 0.1))}}};
  adagrad.scalars = onlyRate;
  adagrad.update = [=](Expr w, Expr g, Scalars rate, Slots slots) {
    slots[0] = slots[0] + square(g);
    return w - g * rate[0] / sqrt(slots[0] + epsilon);
  };
}

/// Zeiler: steps have the unit of weights.
static void readAdadelta(Optimizer &adadelta, Arguments &arguments) {
  double rho = arguments.real("rho", 0.95), epsilon = arguments.real("epsilon", 1e-7);
  adadelta.slotGroups = {{{"accumulated_grad"}, {"accumulated_delta_var"}}};
  adadelta.scalars = onlyRate;
  adadelta.update = [=](Expr w, Expr g, Scalars rate, Slots slots) {
    Expr &gradients = slots[0], &steps = slots[1];
    gradients = averaged(gradients, rho, square(g));
    Expr step = g * sqrt(steps + epsilon) / sqrt(gradients + epsilon);
    steps = averaged(steps, rho, square(step));
    return w - step * rate[0];
  };
}

/// Kingma & Ba, section 7.1: Adam with the infinity norm.
static void readAdamax(Optimizer &adamax, Arguments &arguments) {
  double beta1 = arguments.real("beta_1", 0.9), beta2 = arguments.real("beta_2", 0.999);
  double epsilon = arguments.real("epsilon", 1e-7);
  adamax.slotGroups = {{{"momentum"}, {"norm"}}};
  adamax.scalars = [=](Expr learningRate, Expr t, Slots) -> StepScalars {
    return {learningRate / complementOfPower(beta1, t)};
  };
  adamax.update = [=](Expr w, Expr g, Scalars rate, Slots slots) {
    Expr &m = slots[0], &u = slots[1];
    m = m + (g - m) * (1 - beta1);
    u = max(u * beta2, abs(g));
    return w - m * rate[0] / (u + epsilon);
  };
}

/// Dozat: Adam that looks ahead. The momentum grows with time as beta_1 (1 - 0.96^t / 2); the
/// product of all of them so far is remembered.
static void readNadam(Optimizer &nadam, Arguments &arguments) {
  double exactBeta1 = arguments.real("beta_1", 0.9), beta1 = throughSingle(exactBeta1);
  double beta2 = throughSingle(arguments.real("beta_2", 0.999));
  double epsilon = arguments.real("epsilon", 1e-7);
  nadam.slotGroups = {{{"momentum"}, {"velocity"}}};
  nadam.shared = {{"u_product", 1}};
  nadam.scalars = [=](Expr learningRate, Expr t, Slots shared) -> StepScalars {
    auto momentum = [&](Expr t) { return beta1 * (1 - 0.5 * powerOf(0.96, t)); };
    Expr now = momentum(t), next = momentum(t + 1);
    Expr &product = shared[0];
    product = product * exactBeta1 * (1 - 0.5 * exp(std::log(0.96) * t));
    return {learningRate * next / (1 - product * next), learningRate * (1 - now) / (1 - product),
            complementOfPower(beta2, t)};
  };
  nadam.update = [=](Expr w, Expr g, Scalars scalars, Slots slots) {
    Expr &m = slots[0], &v = slots[1];
    m = m + (g - m) * (1 - beta1);
    v = v + (square(g) - v) * (1 - beta2);
    Expr step = m * scalars[0] + g * scalars[1];
    return w - step / (sqrt(v / scalars[2]) + epsilon);
  };
}

/// A setting that must not be below 0.
static double readNonNegative(Arguments &arguments, StringRef name, double byDefault = 0) {
  double value = arguments.real(name, byDefault);
  if (value < 0)
    arguments.reject(name) << "and must be 0 or more";
  return value;
}

/// McMahan et al.: follow the regularized leader, which keeps weights at 0 unless they matter.
static void readFtrl(Optimizer &ftrl, Arguments &arguments) {
  double power = -arguments.real("learning_rate_power", -0.5);
  if (power < 0)
    arguments.reject("learning_rate_power") << "and must be 0 or less";
  double initial = throughSingle(readNonNegative(arguments, "initial_accumulator_value", 0.1));
  double l1 = readNonNegative(arguments, "l1_regularization_strength");
  double l2 = readNonNegative(arguments, "l2_regularization_strength");
  double shrinkage = readNonNegative(arguments, "l2_shrinkage_regularization_strength");
  double beta = arguments.real("beta", 0);
  ftrl.slotGroups = {{{"accumulator", initial}, {"linear"}}};
  ftrl.scalars = [=](Expr rate, Expr, Slots) -> StepScalars {
    return {rate, 2 * (l2 + beta / (2 * rate))};
  };
  ftrl.update = [=](Expr w, Expr g, Scalars scalars, Slots slots) {
    Expr &accumulator = slots[0], &linear = slots[1], rate = scalars[0];
    auto raised = [&](Expr x) { return power == 0.5 ? sqrt(x) : pow(x, power); };
    Expr before = raised(accumulator);
    accumulator = accumulator + square(g);
    Expr after = raised(accumulator);
    Expr shrunk = shrinkage == 0 ? g : g + w * (2 * shrinkage);
    linear = linear + (shrunk - (after - before) / rate * w);
    Expr clipped = max(min(linear, l1), -l1);
    return (clipped - linear) / (after / rate + scalars[1]);
  };
}

/// Chen et al.: steps of the same size, in the direction of the momentum's signs.
static void readLion(Optimizer &lion, Arguments &arguments) {
  double beta1 = throughSingle(arguments.real("beta_1", 0.9));
  double beta2 = throughSingle(arguments.real("beta_2", 0.99));
  if (beta1 <= 0 || beta1 > 1)
    arguments.reject("beta_1") << "and must be greater than 0 and at most 1";
  lion.slotGroups = {{{"momentum"}}};
  lion.scalars = onlyRate;
  lion.update = [=](Expr w, Expr g, Scalars rate, Slots slots) {
    Expr direction = sign(averaged(slots[0], beta1, g));
    slots[0] = averaged(slots[0], beta2, g);
    return w - direction * rate[0];
  };
}

//===--- the table -------------------------------------------------------------------------------

namespace {
struct OptimizerRow {
  SmallVector<StringRef> names;
  double learningRate;
  void (*read)(Optimizer &, Arguments &);
  /// By default.
  std::optional<double> weightDecay = std::nullopt;
};
} // namespace

static ArrayRef<OptimizerRow> optimizers() {
  static const OptimizerRow table[] = {
      {{"SGD", "sgd"}, 0.01, readSGD},
      {{"Adam", "adam"}, 0.001, readAdam},
      {{"AdamW", "adamw"}, 0.001, readAdamW, 0.004},
      {{"RMSprop", "rmsprop"}, 0.001, readRMSprop},
      {{"Adagrad", "adagrad"}, 0.001, readAdagrad},
      {{"Adadelta", "adadelta"}, 0.001, readAdadelta},
      {{"Adamax", "adamax"}, 0.001, readAdamax},
      {{"Nadam", "nadam"}, 0.001, readNadam},
      {{"Ftrl", "ftrl"}, 0.001, readFtrl},
      {{"Lion", "lion"}, 0.001, readLion},
  };
  return table;
}

std::vector<StringRef> optimizerNames() { return classNames(optimizers()); }

//===--- what all of them have -------------------------------------------------------------------

/// A number of steps; `byDefault` if it is None.
static int64_t readSteps(Arguments &arguments, StringRef name, int64_t least, int64_t byDefault) {
  if (!arguments.raw(name))
    return byDefault;
  int64_t steps = arguments.integer(name, byDefault);
  if (steps < least)
    arguments.reject(name) << "and must be at least " << least;
  return steps;
}

/// A number, or 0 if it is None.
static double readOptional(Arguments &arguments, StringRef name) {
  return arguments.raw(name) ? arguments.real(name, 0) : 0;
}

static void readClipping(OptimizerSettings &settings, Arguments &arguments) {
  settings.clipNorm = readOptional(arguments, "clipnorm");
  settings.globalClipNorm = readOptional(arguments, "global_clipnorm");
  settings.clipValue = readOptional(arguments, "clipvalue");
  SmallVector<StringRef> given;
  for (StringRef name : {"clipnorm", "global_clipnorm", "clipvalue"})
    if (arguments.raw(name))
      given.push_back(name);
  if (given.size() > 1)
    arguments.reject(given[1]) << "but '" << given[0]
                               << "' is set as well, and gradients are clipped in one way only";
}

/// What keras/src/optimizers/base_optimizer.py reads for each.
static OptimizerSettings readSettings(const OptimizerRow &row, Arguments &arguments) {
  OptimizerSettings settings;
  readClipping(settings, arguments);
  bool isAbsent = !arguments.has("weight_decay");
  settings.weightDecay = isAbsent ? row.weightDecay : std::nullopt;
  if (arguments.raw("weight_decay"))
    settings.weightDecay = throughSingle(arguments.real("weight_decay", 0));
  settings.averages = arguments.flag("use_ema", false);
  settings.averageMomentum = arguments.real("ema_momentum", 0.99);
  if (settings.averageMomentum < 0 || settings.averageMomentum > 1)
    arguments.reject("ema_momentum") << "and must be between 0 and 1";
  settings.overwriteFrequency = readSteps(arguments, "ema_overwrite_frequency", 1, 0);
  settings.accumulationSteps = readSteps(arguments, "gradient_accumulation_steps", 2, 1);
  if (arguments.raw("loss_scale_factor"))
    settings.lossScale = arguments.real("loss_scale_factor", 1);
  if (settings.lossScale == 0)
    arguments.reject("loss_scale_factor") << "and gradients cannot be divided by it";
  return settings;
}

std::optional<Optimizer> readOptimizer(Attribute keras, Problems &problems) {
  std::optional<KerasObject> object = readObject(keras, "the optimizer", problems);
  if (!object)
    return {};
  const OptimizerRow *row = findByName(optimizers(), object->name);
  if (!row) {
    reportUnknown(problems, "optimizer", object->name, optimizers());
    return {};
  }
  Optimizer optimizer;
  Arguments arguments(("optimizer '" + object->name + "'").str(), object->config, problems);
  optimizer.name = arguments.text("name", row->names.back()).str();
  Attribute rate = arguments.raw("learning_rate");
  if (isa_and_nonnull<DictionaryAttr, StringAttr>(rate))
    optimizer.schedule = readSchedule(rate, problems);
  else
    optimizer.learningRate = arguments.real("learning_rate", row->learningRate);
  optimizer.settings = readSettings(*row, arguments);
  row->read(optimizer, arguments);
  arguments.finish();
  return optimizer;
}

} // namespace formwork
