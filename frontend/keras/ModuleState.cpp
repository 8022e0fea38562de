// Names of layers and variables, symbols of sizes, and the variables themselves.
#include "frontend/keras/ModuleState.h"

#include "frontend/keras/Attributes.h"
#include "ir/Expr.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace formwork::keras {

//===--- names -----------------------------------------------------------------------------------

static bool isUpper(char c) { return c >= 'A' && c <= 'Z'; }
static bool isLower(char c) { return c >= 'a' && c <= 'z'; }

/// Keras's naming.to_snake_case, for the class names that it has: a capital begins a word if a
/// small letter stands before or after it.
static std::string snakeCase(StringRef name) {
  std::string words;
  for (size_t i = 0; i < name.size(); ++i) {
    bool begins = isUpper(name[i]) && i > 0 &&
                  (isLower(name[i - 1]) || (i + 1 < name.size() && isLower(name[i + 1])));
    if (begins)
      words += '_';
    words += llvm::toLower(name[i]);
  }
  return words;
}

void ModuleState::nameLayers(const Graph &graph, const std::string &scope,
                             const std::string &prefix) {
  llvm::StringMap<unsigned> used;
  for (const Layer &layer : graph.layers) {
    // A Sequential does not count its InputLayer among its layers; a Functional model does.
    if (graph.isSequential && isInputLayer(layer))
      continue;
    std::string group = snakeCase(layer.className);
    if (unsigned again = used[group]++)
      group += llvm::formatv("_{0}", again);
    nameLayer(layer, scope + layer.name, prefix + "layers/" + group);
  }
}

/// A wrapper's layers are named within it.
void ModuleState::nameLayer(const Layer &layer, const std::string &scope,
                            const std::string &prefix) {
  LayerState &state = states[&layer];
  state.scope = scope;
  state.prefix = prefix;
  if (layer.model)
    nameLayers(*layer.model, scope + "/", prefix + "/");
  for (const InnerLayer &inner : layer.inner)
    nameLayer(*inner.layer, scope + "/" + inner.layer->name, prefix + "/" + inner.member);
}

void ModuleState::recordOutputs(const Layer &layer, llvm::ArrayRef<Tensor> outputs) {
  auto [known, isNew] = shapes.try_emplace(&layer);
  if (!isNew)
    return;
  for (const Tensor &output : outputs) {
    std::vector<int64_t> &shape = known->second.emplace_back();
    for (int64_t size : output.type().getShape())
      shape.push_back(mlir::ShapedType::isDynamic(size) ? -1 : size);
  }
}

std::string ModuleState::uniqueSymbol(const std::string &name) {
  std::string unique = name;
  for (unsigned i = 1; !symbols.insert(unique).second; ++i)
    unique = llvm::formatv("{0}_{1}", name, i);
  return unique;
}

//===--- symbols ---------------------------------------------------------------------------------

int64_t ModuleState::newSymbol() {
  parents.push_back(symbolCount());
  return symbolCount() - 1;
}

SmallVector<int64_t, 4> ModuleState::inputSymbols(const std::string &input,
                                                  ArrayRef<int64_t> shape) {
  SmallVector<int64_t, 4> &known = inputs[input];
  for (int64_t i = int64_t(known.size()); i < int64_t(shape.size()); ++i) {
    bool isBatch = i == 0;
    if (!ShapedType::isDynamic(shape[i]))
      known.push_back(fixedSize);
    else if (isBatch && batch >= 0)
      known.push_back(batch);
    else
      known.push_back(newSymbol());
    if (isBatch && known.back() >= 0)
      batch = known.back();
  }
  return known;
}

int64_t ModuleState::find(int64_t symbol) const {
  while (symbol >= 0 && parents[symbol] != symbol)
    symbol = parents[symbol];
  return symbol;
}

void ModuleState::unify(int64_t a, int64_t b) {
  a = find(a), b = find(b);
  if (a >= 0 && b >= 0)
    parents[std::max(a, b)] = std::min(a, b);
}

//===--- one call --------------------------------------------------------------------------------

std::string shapeText(ArrayRef<int64_t> shape) {
  std::string text = "(";
  for (int64_t size : shape)
    text += (text.size() > 1 ? ", " : "") +
            (ShapedType::isDynamic(size) ? std::string("?") : std::to_string(size));
  return text + ")";
}

Value asMask(ImplicitLocOpBuilder &builder, const Tensor &given) {
  return given.element().isInteger(1) ? given.value
                                      : notEqual(Expr(builder, given.value), 0).value();
}

LogicalResult LayerCall::fail(std::string message) {
  return module.diagnostics.addLayer(*layer.object, layer.name, layer.className,
                                     std::move(message));
}

FailureOr<Tensor> LayerCall::single(int64_t least, int64_t most) {
  if (isList || inputs.size() != 1)
    return fail("it is called with " + std::to_string(inputs.size()) +
                " tensors; it takes one, not in a list");
  if (inputs[0].rank() < least || inputs[0].rank() > most)
    return fail("its input has shape " + shapeText(inputs[0].type().getShape()) +
                ", but it needs " + (least == most ? "" : "at least ") + std::to_string(least) +
                " dimensions");
  return inputs[0];
}

FailureOr<Tensor> LayerCall::singleNumeric(int64_t least, int64_t most) {
  FailureOr<Tensor> x = single(least, most);
  if (succeeded(x) && !x->isFloat())
    x->value = CastOp::create(builder, x->value, dtype);
  return x;
}

FailureOr<Tensor> LayerCall::singleFloat(int64_t least, int64_t most) {
  FailureOr<Tensor> x = single(least, most);
  if (succeeded(x) && !x->isFloat())
    return fail("its input holds no floating-point numbers");
  return x;
}

std::vector<Tensor> LayerCall::given(StringRef name) const {
  auto found = further.find(std::string_view(name));
  return found == further.end() ? std::vector<Tensor>() : found->second;
}

const Json *LayerCall::literal(StringRef name) const {
  auto found = literals.find(std::string_view(name));
  return found == literals.end() ? nullptr : found->second;
}

FailureOr<bool> LayerCall::switchedOn(StringRef name) {
  const Json *value = literal(name);
  if ((value && !value->boolean()) || !given(name).empty())
    return fail("call argument '" + name.str() + "' must be true or false");
  return value && *value->boolean();
}

Value LayerCall::givenMask() {
  std::vector<Tensor> tensors = given("mask");
  return tensors.size() == 1 ? asMask(builder, tensors[0]) : Value();
}

Value LayerCall::passedMask() {
  Value mask = givenMask();
  return mask || inputs.empty() ? mask : inputs[0].mask;
}

FailureOr<Value> LayerCall::mask(int64_t rank) {
  Value mask = givenMask();
  if (!mask && further.empty() && inputs.size() == 1)
    mask = inputs[0].mask;
  if (!mask)
    return Value();
  auto type = cast<RankedTensorType>(mask.getType());
  ArrayRef<int64_t> shape = inputs[0].type().getShape();
  if (type.getRank() != rank || type.getShape() != shape.take_front(rank))
    return fail("its mask has shape " + shapeText(type.getShape()) + " where its input, of shape " +
                shapeText(shape) + ", needs " + shapeText(shape.take_front(rank)));
  if (std::vector<Tensor> tensors = given("mask"); !tensors.empty())
    for (int64_t i = 0; i < rank; ++i)
      unify(tensors[0].symbols[i], inputs[0].symbols[i]);
  return mask;
}

FailureOr<std::vector<Tensor>> LayerCall::emit(const Layer &wrapped, CallOperands operands) {
  std::vector<Tensor> outputs = emitter(wrapped, std::move(operands));
  if (outputs.empty() || llvm::any_of(outputs, [](const Tensor &t) { return !t.value; }))
    return failure();
  return outputs;
}

FailureOr<int64_t> LayerCall::axisOf(int64_t axis, int64_t rank) {
  int64_t fromFront = axis < 0 ? axis + rank : axis;
  if (fromFront < 0 || fromFront >= rank)
    return fail("its input has " + std::to_string(rank) + " dimensions, so there is no axis " +
                std::to_string(axis));
  return fromFront;
}

/// Whether a tensor of that shape can exist at all.
static bool isReasonable(ArrayRef<int64_t> shape) {
  constexpr int64_t most = int64_t(1) << 40;
  int64_t elements = 1;
  for (int64_t size : shape) {
    if (size < 0 || size > most || (size != 0 && elements > most / size))
      return false;
    elements *= size;
  }
  return true;
}

DictionaryAttr LayerCall::initializer(StringRef argument) {
  return initializerAttribute(module.context, arguments[argument]);
}

/// The argument beside a weight's initializer: kernel_regularizer beside kernel_initializer.
Attribute LayerCall::penaltyOf(const Weight &weight, StringRef kind) {
  StringRef stem = weight.initializer;
  if (!stem.consume_back("_initializer"))
    return {};
  const Json *given = arguments.find((stem + kind).str());
  return given && !given->isNull() ? attributeOf(module.context, *given) : Attribute();
}

FailureOr<Value> LayerCall::weight(const Weight &weight) {
  if (!isReasonable(weight.shape))
    return fail("its variable '" + weight.name.str() + "' would have more than 2^40 elements");
  Type element = weight.element ? weight.element : Type(dtype);
  auto type = RankedTensorType::get(weight.shape, element);
  auto known =
      llvm::find_if(state.variables, [&](const LayerVariable &v) { return v.name == weight.name; });
  if (known == state.variables.end()) {
    LayerVariable variable;
    variable.name = weight.name;
    unsigned index = 0;
    for (const LayerVariable &other : state.variables)
      index += StringRef(other.path).starts_with(weight.group.empty() ? "vars/" : weight.group);
    variable.path =
        (weight.group.empty() ? "" : weight.group.str() + "/") + "vars/" + std::to_string(index);
    variable.symbol = module.uniqueSymbol(state.scope + "/" + variable.name);
    variable.type = type;
    variable.trainable = weight.trainable && layer.trainable;
    variable.initializer = weight.special ? weight.special : initializer(weight.initializer);
    variable.regularizer = penaltyOf(weight, "_regularizer");
    variable.constraint = penaltyOf(weight, "_constraint");
    state.variables.push_back(std::move(variable));
    known = std::prev(state.variables.end());
  }
  if (known->type != type)
    return fail("it is called with inputs of different sizes, but its variable '" +
                weight.name.str() + "' can have only one shape");
  return Value(
      ReadOp::create(builder, type, FlatSymbolRefAttr::get(&module.context, known->symbol)));
}

void LayerCall::assign(StringRef name, Value value) {
  auto known =
      llvm::find_if(state.variables, [&](const LayerVariable &v) { return v.name == name; });
  AssignOp::create(builder, FlatSymbolRefAttr::get(&module.context, known->symbol), value);
}

LogicalResult LayerCall::regularize(const Tensor &output) {
  const Json *given = arguments.find("activity_regularizer");
  if (!given || given->isNull())
    return success();
  auto regularizer = dyn_cast<DictionaryAttr>(attributeOf(module.context, *given));
  if (!regularizer)
    return fail("argument 'activity_regularizer' must be null or a regularizer as Keras writes it: "
                "an object with class_name and config");
  if (!output.isFloat())
    return fail("argument 'activity_regularizer' is for floating-point numbers, which its output "
                "does not hold");
  penalize(output.value, regularizer);
  return success();
}

void LayerCall::penalize(Value output, DictionaryAttr regularizer) {
  if (regularizesActivity)
    PenaltyOp::create(builder, output, regularizer);
}

Value LayerCall::rng() {
  module.usesRng = true;
  auto type = RankedTensorType::get({2}, builder.getI64Type());
  return ReadOp::create(builder, type,
                        FlatSymbolRefAttr::get(&module.context, ModuleState::rngName));
}

int64_t LayerCall::nextStream() { return module.streams++; }

void LayerCall::unify(int64_t a, int64_t b) { module.unify(a, b); }

} // namespace formwork::keras
