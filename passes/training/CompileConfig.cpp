// How losses, their weights and metrics are spread over outputs, and how metrics are named: the
// rules of keras/src/trainers/compile_utils.py.
//
// Refuses structures deeper than one list or dictionary over the outputs, and several losses for
// one output.
#include "passes/training/CompileConfig.h"

#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace formwork {

using Outputs = MutableArrayRef<TrainedOutput>;

static bool isObject(Attribute attribute) {
  auto dictionary = dyn_cast<DictionaryAttr>(attribute);
  return isa<StringAttr>(attribute) || (dictionary && dictionary.contains("class_name"));
}

static std::string namesOf(Outputs outputs) {
  return llvm::join(llvm::map_range(outputs, [](auto &output) { return "'" + output.name + "'"; }),
                    ", ");
}

/// A list's elements or a dictionary's values, one for each output, null where there is none.
/// Nothing, with a problem reported, if they do not match the outputs.
static SmallVector<Attribute> spread(Attribute setting, StringRef argument, Outputs outputs,
                                     bool everyKey, Problems &problems) {
  SmallVector<Attribute> each(outputs.size());
  if (auto list = dyn_cast<ArrayAttr>(setting)) {
    if (list.size() == outputs.size())
      return llvm::to_vector(list.getValue());
    problems.report() << "compile: " << argument << " has " << list.size()
                      << " elements, and the model has " << outputs.size() << " outputs, "
                      << namesOf(outputs) << ": give one element for each";
    return {};
  }
  auto dictionary = dyn_cast<DictionaryAttr>(setting);
  if (!dictionary) {
    problems.report() << "compile: " << argument << " is " << setting
                      << ", neither a list nor a dictionary over the outputs " << namesOf(outputs);
    return {};
  }
  for (NamedAttribute entry : dictionary) {
    auto output = llvm::find_if(outputs, [&](auto &o) { return o.name == entry.getName(); });
    if (output == outputs.end())
      problems.report() << "compile: " << argument << " names '" << entry.getName().getValue()
                        << "', which is no output; there are " << namesOf(outputs);
    else
      each[output - outputs.begin()] = entry.getValue();
  }
  if (everyKey && dictionary.size() < outputs.size())
    problems.report() << "compile: " << argument << " must name every output: " << namesOf(outputs);
  return each;
}

//===--- losses ----------------------------------------------------------------------------------

static void readLosses(Attribute keras, Outputs outputs, Problems &problems) {
  if (isNone(keras)) {
    problems.report() << "compile: there is no loss, hence nothing to train; give compile a loss, "
                         "or compile the model for inference";
    return;
  }
  SmallVector<Attribute> each(outputs.size(), keras);
  if (!isObject(keras))
    each = spread(keras, "loss", outputs, /*everyKey=*/true, problems);
  for (auto [output, loss] : llvm::zip(outputs, each))
    if (!isNone(loss))
      output.loss = readLoss(loss, output.name, output.type, problems);
}

static void readLossWeights(Attribute keras, Outputs outputs, Problems &problems) {
  if (isNone(keras))
    return;
  SmallVector<Attribute> each = {keras};
  if (outputs.size() > 1 || isa<ArrayAttr, DictionaryAttr>(keras))
    each = spread(keras, "loss_weights", outputs, /*everyKey=*/true, problems);
  for (auto [output, weight] : llvm::zip(outputs, each)) {
    if (auto number = dyn_cast_or_null<FloatAttr>(weight))
      output.lossWeight = number.getValueAsDouble();
    else if (auto number = dyn_cast_or_null<IntegerAttr>(weight))
      output.lossWeight = double(number.getInt());
    else if (!isNone(weight))
      problems.report() << "compile: loss_weights of output '" << output.name << "' is " << weight
                        << ", not a number";
  }
}

/// The type of the target that the loss compares the output with.
static RankedTensorType targetTypeOf(const TrainedOutput &output) {
  if (!output.loss || output.loss->target == TargetKind::likeOutput)
    return output.type;
  Type index = IntegerType::get(output.type.getContext(), 64);
  return RankedTensorType::get(output.type.getShape().drop_back(), index);
}

//===--- metrics ---------------------------------------------------------------------------------

/// All objects in a list, a dictionary or alone, in order.
static void flatten(Attribute setting, SmallVectorImpl<Attribute> &objects) {
  if (isNone(setting))
    return;
  if (auto list = dyn_cast<ArrayAttr>(setting))
    for (Attribute element : list)
      flatten(element, objects);
  else if (isObject(setting) || !isa<DictionaryAttr>(setting))
    objects.push_back(setting);
  else
    for (NamedAttribute entry : cast<DictionaryAttr>(setting))
      flatten(entry.getValue(), objects);
}

namespace {
/// Gives each metric the name that Keras shows it under.
struct MetricNames {
  bool severalOutputs;
  llvm::StringMap<int> taken;

  std::string shown(StringRef output, StringRef name) const {
    return (severalOutputs ? output + "_" + name : Twine(name)).str();
  }

  std::string unique(StringRef output, StringRef name, bool weighted) {
    std::string full = shown(output, name);
    if (weighted && taken.contains(full))
      full = shown(output, ("weighted_" + name).str());
    int before = taken[full]++;
    return before ? full + "_" + std::to_string(before) : full;
  }
};
} // namespace

static void readMetrics(Attribute keras, StringRef argument, bool weighted, MetricNames &names,
                        CompileConfig &config, FloatType floatx, Problems &problems) {
  if (isNone(keras))
    return;
  Outputs outputs = config.outputs;
  SmallVector<Attribute> each = {keras};
  if (outputs.size() > 1)
    each = spread(keras, argument, outputs, /*everyKey=*/false, problems);
  for (auto [index, setting] : llvm::enumerate(each)) {
    TrainedOutput &output = outputs[index];
    SmallVector<Attribute> objects;
    flatten(setting, objects);
    for (Attribute object : objects) {
      output.targetType = targetTypeOf(output);
      MetricSubject subject{output.name, output.type, output.targetType, floatx};
      if (auto metric = readMetric(object, subject, problems)) {
        std::string name = names.unique(output.name, metric->name, weighted);
        config.metrics.push_back({*metric, index, name, weighted});
      }
    }
  }
}

//===--- weights of samples ----------------------------------------------------------------------

/// A weight for each loss along the last axis; for an output of one dimension, one for each number.
static RankedTensorType weightTypeOf(const TrainedOutput &output, FloatType floatx) {
  ArrayRef<int64_t> shape = output.type.getShape();
  return RankedTensorType::get(shape.size() > 1 ? shape.drop_back() : shape, floatx);
}

static void addSampleWeights(CompileConfig &config, FloatType floatx, Problems &problems) {
  for (auto [index, output] : llvm::enumerate(config.outputs)) {
    bool hasMetric = llvm::any_of(config.metrics, [index = index](const TrackedMetric &tracked) {
      return tracked.weighted && tracked.output == index;
    });
    if (!output.loss && !hasMetric)
      continue;
    if (output.loss && !output.loss->canBeWeighted)
      problems.report() << "compile: the loss of output '" << output.name
                        << "' sums over an axis of its own, so that its samples cannot be weighted;"
                           " leave axis out, or the samples' weights";
    output.weightType = weightTypeOf(output, floatx);
  }
}

//===--- all of it -------------------------------------------------------------------------------

CompileConfig readCompileConfig(DictionaryAttr keras, SmallVector<TrainedOutput> outputs,
                                FloatType floatx, bool sampleWeights, Problems &problems) {
  CompileConfig config;
  config.outputs = std::move(outputs);
  Arguments arguments("compile", keras, problems);
  // How Keras runs a step, not what it computes.
  arguments.ignore({"run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss"});
  if (auto optimizer = readOptimizer(arguments.raw("optimizer"), problems))
    config.optimizer = *optimizer;
  readLosses(arguments.raw("loss"), config.outputs, problems);
  readLossWeights(arguments.raw("loss_weights"), config.outputs, problems);
  for (TrainedOutput &output : config.outputs)
    if (output.loss)
      output.targetType = targetTypeOf(output);
  MetricNames names{config.outputs.size() > 1, {}};
  readMetrics(arguments.raw("metrics"), "metrics", false, names, config, floatx, problems);
  // Without weights of samples these are metrics like others.
  readMetrics(arguments.raw("weighted_metrics"), "weighted_metrics", true, names, config, floatx,
              problems);
  if (sampleWeights)
    addSampleWeights(config, floatx, problems);
  arguments.finish();
  return config;
}

} // namespace formwork
