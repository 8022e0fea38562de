// Weights through a pipe. The reader believes nothing: a file may have taken over the child.
#include "frontend/keras/WeightTransfer.h"

#include "ir/Dialect.h"
#include "runtime/keras_io/Isolated.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;

namespace formwork::keras {

static constexpr uint64_t mostWeights = 1 << 20, highestRank = 32;

/// Bytes that reading a file of `size` bytes may take.
static uint64_t memoryForWeights(uint64_t size) { return (uint64_t(64) << 20) + 2 * size; }

//===--- sending ---------------------------------------------------------------------------------

/// An element type as a number: its width, and whether it is a float.
static uint64_t codeOf(Type type) {
  return 2 * type.getIntOrFloatBitWidth() + uint64_t(isa<FloatType>(type));
}

static void send(const std::vector<Weight> &weights, IsolatedWriter &out) {
  out.number(weights.size());
  for (const Weight &weight : weights) {
    out.words(weight.variable);
    out.number(codeOf(weight.type.getElementType()));
    out.number(uint64_t(weight.type.getRank()));
    for (int64_t size : weight.type.getShape())
      out.number(uint64_t(size));
    out.bytes(weight.data.data(), weight.data.size());
  }
}

/// In the child: the model's weights and optimizer state, and what is wrong with the file.
static void sendWeights(const ImportedModel &model, const Diagnostics &found, IsolatedWriter &out) {
  std::vector<std::string> messages = found.messages();
  out.number(messages.size());
  for (const std::string &message : messages)
    out.words(message);
  send(model.weights, out);
  send(model.optimizerState, out);
}

//===--- receiving -------------------------------------------------------------------------------

static Type typeOf(MLIRContext &context, uint64_t code) {
  Builder builder(&context);
  for (Type type : {Type(builder.getF32Type()), Type(builder.getF64Type()),
                    Type(builder.getI32Type()), Type(builder.getI64Type())})
    if (codeOf(type) == code)
      return type;
  return {};
}

static bool receive(IsolatedReader &in, uint64_t &unread, MLIRContext &context, Weight &weight) {
  uint64_t code = 0, rank = 0, elements = 1;
  if (!in.words(weight.variable) || !in.number(code) || !in.number(rank, highestRank))
    return false;
  Type element = typeOf(context, code);
  SmallVector<int64_t> shape(rank);
  for (int64_t &size : shape) {
    uint64_t given = 0;
    if (!in.number(given, uint64_t(1) << 40) || (given && elements > (uint64_t(1) << 40) / given))
      return false;
    size = int64_t(given);
    elements *= given;
  }
  uint64_t width = element ? element.getIntOrFloatBitWidth() / 8 : 0;
  if (!element || elements > unread / width)
    return false;
  unread -= elements * width;
  weight.type = RankedTensorType::get(shape, element);
  weight.data.resize(elements * width);
  return in.bytes(weight.data.data(), weight.data.size());
}

static bool receive(IsolatedReader &in, uint64_t unread, MLIRContext &context,
                    std::vector<Weight> &weights) {
  uint64_t count = 0;
  if (!in.number(count, mostWeights))
    return false;
  for (uint64_t i = 0; i < count; ++i)
    if (!receive(in, unread, context, weights.emplace_back()))
      return false;
  return true;
}

/// Whether each is the value of a variable that the model has.
static bool belong(const std::vector<Weight> &weights, ModuleOp module) {
  SymbolTable symbols(module);
  return llvm::all_of(weights, [&](const Weight &weight) {
    auto variable = symbols.lookup<VariableOp>(weight.variable);
    return variable && variable.getType() == weight.type;
  });
}

/// In the parent: adds them to the model, and what is wrong to `diagnostics`. False if the child
/// says what it cannot have read from `size` bytes, or names variables that the model has not.
static bool receiveWeights(IsolatedReader &in, uint64_t size, ImportedModel &model,
                           Diagnostics &diagnostics) {
  uint64_t count = 0;
  std::vector<std::string> messages;
  if (!in.number(count, mostWeights))
    return false;
  for (uint64_t i = 0; i < count; ++i)
    if (!in.words(messages.emplace_back()))
      return false;
  ImportedModel received;
  MLIRContext &context = *model.module->getContext();
  if (!receive(in, size, context, received.weights) ||
      !receive(in, size, context, received.optimizerState) ||
      !belong(received.weights, *model.module))
    return false;
  for (std::string &message : messages)
    (void)diagnostics.add(std::move(message));
  model.weights = std::move(received.weights);
  model.optimizerState = std::move(received.optimizerState);
  return true;
}

//===--- reading ---------------------------------------------------------------------------------

void readWeightsIsolated(std::string bytes, const std::string &what, ImportedModel &model,
                         Diagnostics &diagnostics, WeightReader read) {
  uint64_t size = bytes.size();
  auto work = [&](IsolatedWriter &out) {
    Diagnostics found(*model.module->getContext(), "");
    auto opened = WeightFile::open(std::move(bytes));
    if (auto *problem = std::get_if<std::string>(&opened))
      (void)found.add(what + " " + *problem);
    else
      read(std::get<WeightFile>(opened), model, found);
    sendWeights(model, found, out);
  };
  auto answer = [&](IsolatedReader &in) { return receiveWeights(in, size, model, diagnostics); };
  if (!runIsolated(memoryForWeights(size), work, answer))
    (void)diagnostics.add(what + " is truncated or corrupt");
}

bool hasMembersIsolated(const std::string &bytes, const std::string &group) {
  auto work = [&](IsolatedWriter &out) {
    auto opened = WeightFile::open(bytes);
    auto *file = std::get_if<WeightFile>(&opened);
    out.number(file && file->members(group).value_or(0) != 0);
  };
  uint64_t hasMembers = 0;
  auto answer = [&](IsolatedReader &in) { return in.number(hasMembers, 1); };
  return runIsolated(memoryForWeights(bytes.size()), work, answer) && hasMembers;
}

std::optional<std::vector<std::optional<std::string>>>
readAttributesIsolated(const std::string &bytes, ArrayRef<const char *> names) {
  auto work = [&](IsolatedWriter &out) {
    auto opened = WeightFile::open(bytes);
    auto *file = std::get_if<WeightFile>(&opened);
    out.number(file != nullptr);
    for (const char *name : file ? names : ArrayRef<const char *>()) {
      std::optional<std::string> text = file->attribute(name);
      out.number(text.has_value());
      out.words(text.value_or(""));
    }
  };
  std::vector<std::optional<std::string>> texts(names.size());
  auto answer = [&](IsolatedReader &in) {
    uint64_t isOpen = 0;
    if (!in.number(isOpen, 1) || !isOpen)
      return false;
    return llvm::all_of(texts, [&](std::optional<std::string> &text) {
      uint64_t isThere = 0;
      std::string words;
      if (!in.number(isThere, 1) || !in.words(words, bytes.size()))
        return false;
      if (isThere)
        text = std::move(words);
      return true;
    });
  };
  if (!runIsolated(memoryForWeights(bytes.size()), work, answer))
    return {};
  return texts;
}

} // namespace formwork::keras
