// Rewrites JSON member by member. What it knows are the differences between Keras 2.0 to 2.15 and
// Keras 3 that a file's text shows; it changes no meaning and refuses nothing.
#include "frontend/keras/Keras2.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringRef.h"

using namespace llvm;

namespace formwork::keras {

static std::string listOf(ArrayRef<std::string> parts) { return "[" + join(parts, ", ") + "]"; }
static std::string objectOf(ArrayRef<std::string> parts) { return "{" + join(parts, ", ") + "}"; }

static std::string member(std::string_view key, const std::string &value) {
  return quotedJson(key) + ": " + value;
}

/// Classes that users registered stand as "Custom>Name"; so did some of Keras's own optimizers.
static std::string_view withoutPrefix(std::string_view className) {
  return className.substr(0, 7) == "Custom>" ? className.substr(7) : className;
}

//===--- calls -----------------------------------------------------------------------------------

/// ["layer", node, tensor, {arguments}] as a tensor.
static std::string tensorOf(const Json::Array &reference) {
  std::vector<std::string> history;
  for (size_t i = 0; i < 3; ++i)
    history.push_back(reference[i].print());
  // Keras 3 wants a shape and a type, and finds the true ones by itself.
  return R"({"class_name": "__keras_tensor__", "config": {"shape": [], "dtype": "float32", )"
         R"("keras_history": )" +
         listOf(history) + "}}";
}

static const Json::Array *referenceIn(const Json &value) {
  const Json::Array *parts = value.array();
  return parts && parts->size() >= 3 && parts->front().string() ? parts : nullptr;
}

/// One call. Its arguments stand beside the first tensor.
static std::string callOf(const Json &node) {
  const Json::Array *tensors = node.array();
  if (!tensors || tensors->empty() ||
      !all_of(*tensors, [](const Json &tensor) { return referenceIn(tensor); }))
    return node.print();
  std::vector<std::string> printed;
  for (const Json &tensor : *tensors)
    printed.push_back(tensorOf(*referenceIn(tensor)));
  const Json::Array &first = *referenceIn(tensors->front());
  std::string arguments = first.size() > 3 && first[3].object() ? first[3].print() : "{}";
  std::string given = printed.size() == 1 ? printed.front() : listOf(printed);
  return objectOf({member("args", listOf({given})), member("kwargs", arguments)});
}

static std::string callsOf(const Json &nodes) {
  std::vector<std::string> calls;
  if (!nodes.array())
    return nodes.print();
  for (const Json &node : *nodes.array())
    calls.push_back(callOf(node));
  return listOf(calls);
}

//===--- layers ----------------------------------------------------------------------------------

static std::string layerOf(const Json &layer);

static std::string layersOf(const Json &layers) {
  std::vector<std::string> printed;
  if (!layers.array())
    return layers.print();
  for (const Json &layer : *layers.array())
    printed.push_back(layerOf(layer));
  return listOf(printed);
}

/// An argument that Keras 3 has not, with the value that means nothing.
static bool isGone(StringRef className, StringRef key, const Json &value) {
  if (key == "batch_input_shape")
    return true;
  if (key == "time_major")
    return value.boolean() == false;
  bool separable = className.starts_with("Separable"), depthwise = className == "DepthwiseConv2D";
  if (key == "groups")
    return (separable || depthwise) && value.integer() == 1;
  // Of the convolution that these derive from: they have two kernels with names of their own.
  return (separable || depthwise) && key.starts_with("kernel_") && key != "kernel_size";
}

/// {"class_name": "Policy", "config": {"name": "float32"}} as "float32".
static std::string dtypeOf(const Json &dtype) {
  const Json *config = dtype.find("config");
  return dtype.text("class_name") == "Policy" && config ? quotedJson(config->text("name"))
                                                        : dtype.print();
}

static std::string argumentOf(StringRef className, const Json::Member &argument) {
  StringRef key = argument.key;
  const Json::Array *elements = argument.value.array();
  if (key == "dtype")
    return member(key, dtypeOf(argument.value));
  if (key == "layer" || key == "forward_layer" || key == "backward_layer" || key == "cell")
    return member(key, layerOf(argument.value));
  if (className == "BatchNormalization" && key == "axis" && elements && elements->size() == 1)
    return member(key, elements->front().print());
  if (className == "LeakyReLU" && key == "alpha")
    return member("negative_slope", argument.value.print());
  return member(key, argument.value.print());
}

static std::string argumentsOf(StringRef className, const Json &config) {
  std::vector<std::string> parts;
  if (!config.object())
    return config.print();
  const Json *shape = config.find("batch_input_shape");
  if (className == "InputLayer" && shape)
    parts.push_back(member("batch_shape", shape->print()));
  for (const Json::Member &argument : *config.object())
    if (!isGone(className, argument.key, argument.value))
      parts.push_back(argumentOf(className, argument));
  return objectOf(parts);
}

/// A Sequential model may know the shape of its input from its first layer alone.
static const Json *shapeOfFirst(const Json &layers) {
  const Json::Array *list = layers.array();
  const Json *config = list && !list->empty() ? list->front().find("config") : nullptr;
  return config && list->front().text("class_name") != "InputLayer"
             ? config->find("batch_input_shape")
             : nullptr;
}

/// The configuration of a model; of the oldest Sequential ones, it is the list of layers.
static std::string modelConfigOf(const Json &config) {
  std::vector<std::string> parts;
  const Json *layers = config.array() ? &config : config.find("layers");
  if (config.array())
    parts.push_back(member("name", quotedJson("sequential")));
  if (config.object())
    for (const Json::Member &argument : *config.object())
      if (argument.key != "layers" && argument.key != "build_input_shape")
        parts.push_back(member(argument.key, argument.value.print()));
  if (const Json *shape = layers ? shapeOfFirst(*layers) : nullptr)
    parts.push_back(member("build_input_shape", shape->print()));
  else if (const Json *shape = config.find("build_input_shape"))
    parts.push_back(member("build_input_shape", shape->print()));
  if (layers)
    parts.push_back(member("layers", layersOf(*layers)));
  return objectOf(parts);
}

/// A layer, or a model, which is one too.
static std::string layerOf(const Json &layer) {
  std::vector<std::string> parts;
  if (!layer.object())
    return layer.print();
  std::string_view className = layer.text("class_name");
  const Json *config = layer.find("config");
  bool isModel = className == "Sequential" || className == "Functional" || className == "Model";
  for (const Json::Member &part : *layer.object())
    if (part.key == "class_name")
      parts.push_back(
          member("class_name", quotedJson(className == "Model" ? "Functional" : className)));
    else if (part.key == "inbound_nodes")
      parts.push_back(member(part.key, callsOf(part.value)));
    else if (part.key != "config")
      parts.push_back(member(part.key, part.value.print()));
  if (config)
    parts.push_back(
        member("config", isModel ? modelConfigOf(*config) : argumentsOf(className, *config)));
  return objectOf(parts);
}

std::string fromKeras2(const Json &model) { return layerOf(model); }

//===--- training --------------------------------------------------------------------------------

static std::string optimizerOf(const Json &optimizer) {
  std::vector<std::string> arguments;
  const Json *config = optimizer.find("config");
  if (!config || !config->object())
    return optimizer.print();
  for (const Json::Member &argument : *config->object()) {
    StringRef key = argument.key;
    bool gone = key == "jit_compile" || key == "is_legacy_optimizer" ||
                (key == "decay" && argument.value.real() == 0.0);
    if (!gone)
      arguments.push_back(member(key == "lr" ? "learning_rate" : key, argument.value.print()));
  }
  return objectOf({member("class_name", quotedJson(withoutPrefix(optimizer.text("class_name")))),
                   member("config", objectOf(arguments))});
}

/// A loss's or a metric's object, wherever it stands: in lists and dictionaries over outputs. Keras
/// 3 looks for it in `module`.
static std::string objectiveOf(const Json &value, std::string_view module) {
  std::vector<std::string> parts;
  if (const Json::Array *elements = value.array()) {
    for (const Json &element : *elements)
      parts.push_back(objectiveOf(element, module));
    return listOf(parts);
  }
  if (!value.object())
    return value.print();
  // A function that was named by a word.
  const Json *config = value.find("config");
  if (config && !config->text("fn").empty() && value.text("class_name") == "MeanMetricWrapper") {
    bool shortcut = config->text("name") == "accuracy" || config->text("name") == "acc";
    return quotedJson(config->text(shortcut ? "name" : "fn"));
  }
  if (config && !value.text("class_name").empty() && !value.find("module"))
    parts = {member("module", quotedJson(module)), member("registered_name", "null")};
  for (const Json::Member &part : *value.object())
    if (part.key == "reduction" && part.value.string() && *part.value.string() == "auto")
      parts.push_back(member(part.key, quotedJson("sum_over_batch_size")));
    else
      parts.push_back(member(part.key, objectiveOf(part.value, module)));
  return objectOf(parts);
}

std::string trainingFromKeras2(const Json &training) {
  std::vector<std::string> parts;
  if (!training.object())
    return training.print();
  for (const Json::Member &setting : *training.object())
    if (setting.key == "optimizer_config")
      parts.push_back(member(setting.key, optimizerOf(setting.value)));
    else if (setting.key != "sample_weight_mode")
      parts.push_back(member(
          setting.key,
          objectiveOf(setting.value, setting.key == "loss" ? "keras.losses" : "keras.metrics")));
  return objectOf(parts);
}

} // namespace formwork::keras
