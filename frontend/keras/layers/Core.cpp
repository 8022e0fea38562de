// Dense, Embedding, Flatten, Reshape, Permute, RepeatVector.
#include "frontend/keras/Activations.h"
#include "frontend/keras/LayerCall.h"
#include "frontend/keras/layers/Layers.h"

using namespace mlir;

namespace formwork::keras {

//===--- Dense -----------------------------------------------------------------------------------

static const Argument denseArguments[] = {
    {"units", isPositiveInteger, ""},
    {"activation", isAnyActivation, "null"},
    {"use_bias", isBoolean, "true"},
    {"kernel_initializer", isInitializer, "\"glorot_uniform\""},
    {"bias_initializer", isInitializer, "\"zeros\""},
    {"kernel_regularizer", ofWeight, "null"},
    {"bias_regularizer", ofWeight, "null"},
    {"kernel_constraint", ofWeight, "null"},
    {"bias_constraint", ofWeight, "null"},
    {"lora_rank", onlyDefault, "null"},
    {"lora_alpha", onlyDefault, "null"},
    {"quantization_config", onlyDefault, "null"},
};

/// Contracts the last dimension, whatever the rank.
static FailureOr<Tensor> dense(LayerCall &call) {
  FailureOr<Tensor> x = call.singleNumeric(2);
  if (failed(x))
    return failure();
  int64_t last = x->rank() - 1, features = x->size(last);
  if (ShapedType::isDynamic(features))
    return call.fail("the last dimension of its input must have a fixed size");
  int64_t units = call.arguments.integer("units");
  FailureOr<Value> kernel = call.weight(
      {.name = "kernel", .initializer = "kernel_initializer", .shape = {features, units}});
  if (failed(kernel))
    return failure();
  Value y = contract(call.builder, x->value, *kernel, last, 0);
  if (call.arguments.flag("use_bias")) {
    FailureOr<Value> bias =
        call.weight({.name = "bias", .initializer = "bias_initializer", .shape = {units}});
    if (failed(bias))
      return failure();
    y = AddOp::create(call.builder, y, *bias);
  }
  x->value = y;
  x->symbols[last] = fixedSize;
  if (failed(activate(call, call.arguments["activation"], *x)))
    return failure();
  return x;
}

//===--- Embedding -------------------------------------------------------------------------------

static const Argument embeddingArguments[] = {
    {"input_dim", isPositiveInteger, ""},
    {"output_dim", isPositiveInteger, ""},
    {"embeddings_initializer", isInitializer, "\"uniform\""},
    {"embeddings_regularizer", ofWeight, "null"},
    {"embeddings_constraint", ofWeight, "null"},
    {"mask_zero", isBoolean, "false"},
    {"input_length", anything, "null"}, // of older files; Keras ignores it
    {"weights", onlyDefault, "null"},
    {"lora_rank", onlyDefault, "null"},
    {"lora_alpha", onlyDefault, "null"},
    {"quantization_config", onlyDefault, "null"},
};

static FailureOr<Tensor> embedding(LayerCall &call) {
  FailureOr<Tensor> indices = call.single(1, 30);
  if (failed(indices))
    return failure();
  FailureOr<Value> table = call.weight(
      {.name = "embeddings",
       .initializer = "embeddings_initializer",
       .shape = {call.arguments.integer("input_dim"), call.arguments.integer("output_dim")}});
  if (failed(table))
    return failure();
  // Anything but int32 and int64 becomes int32, fractions cut off.
  if (!indices->element().isInteger(32) && !indices->element().isInteger(64))
    indices->value = CastOp::create(call.builder, indices->value, call.builder.getI32Type());
  indices->mask = {};
  if (call.arguments.flag("mask_zero"))
    indices->mask = notEqual(Expr(call.builder, indices->value), 0).value();
  indices->value = GatherOp::create(call.builder, *table, indices->value);
  indices->symbols.push_back(fixedSize);
  return indices;
}

//===--- Flatten and Reshape ---------------------------------------------------------------------

/// `x` with the sizes given after its batch; one of them may be -1. An unknown size can be inferred
/// only once, and the batch may need it.
static FailureOr<Tensor> reshapeKeepingBatch(LayerCall &call, Tensor x, ArrayRef<int64_t> rest) {
  int64_t known = 1, count = 1;
  bool fixed = x.type().getShape().drop_front().size() == 0 ||
               llvm::none_of(x.type().getShape().drop_front(), ShapedType::isDynamic);
  for (int64_t size : x.type().getShape().drop_front())
    count *= size;
  for (int64_t size : rest)
    known *= size == -1 ? 1 : size;

  SmallVector<int64_t> shape{x.size(0)};
  llvm::append_range(shape, rest);
  int64_t *inferred = llvm::find(shape, -1);
  bool infers = inferred != shape.end();
  if (fixed && (infers ? known == 0 || count % known != 0 : count != known))
    return call.fail("its input has shape " + shapeText(x.type().getShape()) +
                     ", which does not fit into " + shapeText(shape));
  if (fixed && infers)
    *inferred = count / known;
  bool batchUnknown = ShapedType::isDynamic(shape[0]);
  if (!fixed && batchUnknown && infers)
    return call.fail("its input has shape " + shapeText(x.type().getShape()) +
                     ": at most one size of the result may be unknown");
  if (batchUnknown)
    shape[0] = -1;
  Tensor y{ReshapeOp::create(call.builder, x.value, shape), {}};
  y.symbols.assign(shape.size(), fixedSize);
  y.symbols[0] = x.symbols[0];
  for (size_t i = 1; i < shape.size(); ++i)
    if (ShapedType::isDynamic(y.size(int64_t(i))))
      y.symbols[i] = derivedSize;
  return y;
}

static const Argument flattenArguments[] = {{"data_format", isDataFormatOrNull, "null"}};

static FailureOr<Tensor> flatten(LayerCall &call) {
  FailureOr<Tensor> x = call.single(1);
  if (failed(x))
    return failure();
  const std::string *format = call.arguments["data_format"].string();
  if (format && *format == "channels_first" && x->rank() > 1) {
    // (batch, channels, ...) -> (batch, ..., channels)
    SmallVector<int64_t> order = llvm::to_vector(llvm::seq<int64_t>(0, x->rank()));
    std::rotate(order.begin() + 1, order.begin() + 2, order.end());
    x = permute(call.builder, *x, order);
  }
  ArrayRef<int64_t> rest = x->type().getShape().drop_front();
  int64_t size = 1;
  for (int64_t dimension : rest)
    size = ShapedType::isDynamic(dimension) || size == -1 ? -1 : size * dimension;
  return reshapeKeepingBatch(call, *x, size);
}

static const Argument reshapeArguments[] = {{"target_shape", isTargetShape, ""}};

static FailureOr<Tensor> reshape(LayerCall &call) {
  FailureOr<Tensor> x = call.single(1);
  if (failed(x))
    return failure();
  return reshapeKeepingBatch(call, *x, call.arguments.integers("target_shape"));
}

//===--- Permute and RepeatVector ----------------------------------------------------------------

/// The axes after the batch, each once.
static std::string isPermutation(const Json &value) {
  const Json::Array *elements = value.array();
  bool good = elements && !elements->empty() && elements->size() < 32;
  for (int64_t axis = 1; good && axis <= int64_t(elements->size()); ++axis)
    good = llvm::any_of(*elements, [&](const Json &dim) { return dim.integer() == axis; });
  return good ? "" : "must list the numbers from 1 on, each once";
}

static const Argument permuteArguments[] = {{"dims", isPermutation, ""}};

static FailureOr<Tensor> permuteLayer(LayerCall &call) {
  SmallVector<int64_t> order{0};
  llvm::append_range(order, call.arguments.integers("dims"));
  FailureOr<Tensor> x = call.single(1);
  if (failed(x))
    return failure();
  if (x->rank() != int64_t(order.size()))
    return call.fail("argument 'dims' permutes " + std::to_string(order.size() - 1) +
                     " dimensions after the batch; its input has shape " +
                     shapeText(x->type().getShape()));
  return permute(call.builder, *x, order);
}

static const Argument repeatArguments[] = {{"n", isPositiveInteger, ""}};

static FailureOr<Tensor> repeatVector(LayerCall &call) {
  FailureOr<Tensor> x = call.single(2, 2);
  if (failed(x))
    return failure();
  ImplicitLocOpBuilder &b = call.builder;
  int64_t n = call.arguments.integer("n"), features = x->size(1);
  if (ShapedType::isDynamic(features))
    return call.fail("the last dimension of its input must have a fixed size");
  // Only the shape of `like` is used.
  Value once = ReshapeOp::create(b, x->value, ArrayRef<int64_t>{-1, 1, features});
  Value like = PadOp::create(b, once, Value(), b.getDenseI64ArrayAttr({0, 0, 0}),
                             b.getDenseI64ArrayAttr({0, n - 1, 0}),
                             b.getDenseI64ArrayAttr({0, 0, 0}), b.getF64FloatAttr(0));
  x->value = BroadcastLikeOp::create(b, x->value, like, ArrayRef<int64_t>{1});
  x->symbols.insert(x->symbols.begin() + 1, fixedSize);
  return x;
}

void registerCoreLayers(Registration &layers) {
  layers.push_back({"Dense", ArgumentTable(denseArguments), dense, MaskRule::pass});
  layers.push_back({"Embedding", ArgumentTable(embeddingArguments), embedding, MaskRule::own});
  layers.push_back({"Flatten", ArgumentTable(flattenArguments), flatten});
  layers.push_back({"Permute", ArgumentTable(permuteArguments), permuteLayer});
  layers.push_back({"RepeatVector", ArgumentTable(repeatArguments), repeatVector});
  layers.push_back({"Reshape", ArgumentTable(reshapeArguments), reshape});
}

} // namespace formwork::keras
