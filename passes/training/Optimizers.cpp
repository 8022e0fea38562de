// SGD and Adam, as keras/src/optimizers/{sgd,adam}.py compute them.
//
// Refuses what Keras's base class adds around any optimizer: weight decay, clipping, moving
// averages of weights, loss scaling, accumulation of gradients.
#include "passes/training/Optimizers.h"
#include "passes/training/Registry.h"

using namespace mlir;

namespace formwork {

/// What Keras computes with on TensorFlow where it casts a number of Python's to a tensor's type,
/// f64 included: it becomes an f32 on the way.
static double throughSingle(double number) { return float(number); }

/// w <- w - rate g, or with momentum m <- momentum m - rate g, w <- w + m; Nesterov looks ahead.
static void readSGD(Optimizer &sgd, Arguments &arguments) {
  double momentum = throughSingle(arguments.real("momentum", 0));
  bool nesterov = arguments.flag("nesterov", false);
  if (momentum < 0 || momentum > 1)
    arguments.reject("momentum") << "and must be between 0 and 1";
  sgd.stepSize = [](Expr learningRate, Expr) { return learningRate; };
  if (momentum == 0) {
    sgd.update = [](Expr w, Expr g, Expr rate, MutableArrayRef<Expr>) { return w - g * rate; };
    return;
  }
  sgd.slotGroups = {{"momentum"}};
  sgd.update = [=](Expr w, Expr g, Expr rate, MutableArrayRef<Expr> slots) {
    Expr &m = slots[0];
    m = m * momentum - g * rate;
    return nesterov ? w + (m * momentum - g * rate) : w + m;
  };
}

/// 1 - beta^t. In f64, where the difference keeps its digits although beta is close to 1.
static Expr complementOfPower(double beta, Expr t) {
  // Some finite logarithm for beta = 0, far enough for its powers to be 0.
  return 1 - exp(std::max(std::log(throughSingle(beta)), -1e3) * t);
}

/// Kingma & Ba, in the order of the text before their section 2.1: the corrections of both moments
/// go into the step size.
static void readAdam(Optimizer &adam, Arguments &arguments) {
  double beta1 = arguments.real("beta_1", 0.9), beta2 = arguments.real("beta_2", 0.999);
  double epsilon = arguments.real("epsilon", 1e-7);
  bool amsgrad = arguments.flag("amsgrad", false);
  adam.slotGroups = {{"momentum", "velocity"}};
  if (amsgrad)
    adam.slotGroups.push_back({"velocity_hat"});
  adam.stepSize = [=](Expr learningRate, Expr t) {
    return learningRate * sqrt(complementOfPower(beta2, t)) / complementOfPower(beta1, t);
  };
  adam.update = [=](Expr w, Expr g, Expr alpha, MutableArrayRef<Expr> slots) {
    Expr &m = slots[0], &v = slots[1];
    m = m + (g - m) * (1 - beta1);
    v = v + (square(g) - v) * (1 - beta2);
    if (amsgrad)
      slots[2] = max(slots[2], v);
    return w - m * alpha / (sqrt(amsgrad ? slots[2] : v) + epsilon);
  };
}

namespace {
struct OptimizerRow {
  SmallVector<StringRef> names;
  double learningRate;
  void (*read)(Optimizer &, Arguments &);
};
} // namespace

static ArrayRef<OptimizerRow> optimizers() {
  static const OptimizerRow table[] = {
      {{"SGD", "sgd"}, 0.01, readSGD},
      {{"Adam", "adam"}, 0.001, readAdam},
  };
  return table;
}

std::vector<StringRef> optimizerNames() { return classNames(optimizers()); }

/// What keras/src/optimizers/base_optimizer.py adds to each.
static void refuseCommonArguments(Arguments &arguments) {
  arguments.refuse("weight_decay", "set it to None");
  for (StringRef clipping : {"clipnorm", "clipvalue", "global_clipnorm"})
    arguments.refuse(clipping, "gradients are not clipped; set it to None");
  arguments.refuse("use_ema", "weights are not averaged; set it to False");
  arguments.refuse("loss_scale_factor", "set it to None");
  arguments.refuse("gradient_accumulation_steps",
                   "set it to None and accumulate with the entries gradients and apply");
  arguments.ignore({"ema_momentum", "ema_overwrite_frequency"});
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
  refuseCommonArguments(arguments);
  row->read(optimizer, arguments);
  arguments.finish();
  return optimizer;
}

} // namespace formwork
