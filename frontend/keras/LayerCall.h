// What a layer's function sees of one call: its arguments, its inputs, and how to make variables.
#pragma once

#include "frontend/Diagnostics.h"
#include "frontend/keras/Graph.h"
#include "frontend/keras/Initializers.h"

#include "ir/Dialect.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <functional>
#include <map>

namespace formwork::keras {

/// What stands for the size of a dimension in Tensor::symbols.
enum : int64_t {
  fixedSize = -1,   // static
  derivedSize = -2, // computed from symbols, such as half of one
};

/// A value in a function being built, and for each dimension the symbol of its size.
struct Tensor {
  mlir::Value value;
  llvm::SmallVector<int64_t, 4> symbols;
  /// Of i1, true where the tensor means something: of its leading dimensions. Null: everywhere.
  mlir::Value mask = {};

  mlir::RankedTensorType type() const {
    return llvm::cast<mlir::RankedTensorType>(value.getType());
  }
  int64_t rank() const { return type().getRank(); }
  int64_t size(int64_t dimension) const { return type().getDimSize(dimension); }
  mlir::Type element() const { return type().getElementType(); }
  bool isFloat() const { return llvm::isa<mlir::FloatType>(element()); }
};

/// "(?, 28, 28)", as Keras shows shapes but for `None`.
std::string shapeText(llvm::ArrayRef<int64_t> shape);

/// A tensor that is given as a mask, as i1: true where it is not 0.
mlir::Value asMask(mlir::ImplicitLocOpBuilder &builder, const Tensor &given);

/// A variable of a layer, declared when the layer is called first.
struct LayerVariable {
  std::string name; // inside the layer: "kernel", "lstm_cell/kernel"
  std::string path; // inside the layer's group of the weight file: "vars/0", "cell/vars/0"
  std::string symbol;
  mlir::RankedTensorType type;
  bool trainable = true;
  mlir::DictionaryAttr initializer;
  mlir::Attribute regularizer, constraint; // as Keras writes them; null if there is none
};

/// What outlives one call of a layer.
struct LayerState {
  std::string scope;  // what its variables' names begin with: "inner/dense"
  std::string prefix; // its group of the weight file: "layers/sequential/layers/dense"
  std::vector<LayerVariable> variables;
};

/// What a layer is called with; of dictionaries, `keys` has the inputs' names.
struct CallOperands {
  std::vector<Tensor> inputs; // of the first argument
  std::vector<std::string> keys;
  bool isList = false;
  std::map<std::string, std::vector<Tensor>, std::less<>> further;
  std::map<std::string, const Json *, std::less<>> literals;
  /// A Bidirectional gives its layers zero_output_for_mask where they return sequences, and wants
  /// those in the order of the inputs.
  bool inBidirectional = false;
  /// Whether the loss has a part for what the layer regularizes of its outputs. A TimeDistributed
  /// calls its layer past what Keras adds losses with; layers of a model within are not affected.
  bool regularizesActivity = true;
};

/// Calls a layer that another one wraps; empty if that failed.
using InnerEmitter = std::function<std::vector<Tensor>(const Layer &, CallOperands)>;

/// What calls share while a module is built: symbols, streams of randomness, names.
class ModuleState;

class LayerCall {
public:
  LayerCall(ModuleState &module, const Layer &layer, LayerState &state,
            mlir::ImplicitLocOpBuilder &builder, CallOperands operands, bool training,
            InnerEmitter emitter)
      : builder(builder), inputs(std::move(operands.inputs)), isList(operands.isList),
        inBidirectional(operands.inBidirectional),
        regularizesActivity(operands.regularizesActivity), training(training),
        arguments(*layer.config, layer.kind->arguments), dtype(layer.dtype), module(module),
        layer(layer), state(state), further(std::move(operands.further)),
        literals(std::move(operands.literals)), emitter(std::move(emitter)) {}

  mlir::ImplicitLocOpBuilder &builder;
  std::vector<Tensor> inputs; // floats among them are of `dtype`, as Keras's autocast has it
  const bool isList, inBidirectional, regularizesActivity;
  const bool training; // as in call(training=...)
  const Arguments arguments;
  const mlir::FloatType dtype;

  bool trainable() const { return layer.trainable; }

  /// Reports what is wrong with this call; the message completes "layer 'x' (Dense) at ...: ".
  mlir::LogicalResult fail(std::string message);
  /// The one input, of a rank between `least` and `most`.
  mlir::FailureOr<Tensor> single(int64_t least, int64_t most = 31);
  /// The one input, as floats of `dtype`: integers are converted, as Keras's operators do.
  mlir::FailureOr<Tensor> singleNumeric(int64_t least, int64_t most = 31);
  /// The one input, which must be of floats.
  mlir::FailureOr<Tensor> singleFloat(int64_t least, int64_t most = 31);
  /// The tensors of the call argument `name`; none if it was not given.
  std::vector<Tensor> given(llvm::StringRef name) const;
  /// The literal of the call argument `name`; null if it was not given, or as tensors.
  const Json *literal(llvm::StringRef name) const;
  /// A call argument that is true or false, false if it was not given.
  mlir::FailureOr<bool> switchedOn(llvm::StringRef name);
  /// The call argument `mask` as i1, and if it was not given, where the layer is called with
  /// nothing else, the one input's mask, as Keras fills it in. Null if there is none. It must be of
  /// the input's first `rank` dimensions.
  mlir::FailureOr<mlir::Value> mask(int64_t rank);
  /// What `mask` says of the call, whatever its rank, or of the first input: what a layer passes
  /// on.
  mlir::Value passedMask();
  /// Adds an output after the one that the layer's function returns.
  void alsoReturn(Tensor output) { furtherOutputs.push_back(std::move(output)); }

  const std::vector<InnerLayer> &inner() const { return layer.inner; }
  /// Calls a layer that this one wraps.
  mlir::FailureOr<std::vector<Tensor>> emit(const Layer &wrapped, CallOperands operands);

  /// `axis` counted from the front, which must be one of `rank`.
  mlir::FailureOr<int64_t> axisOf(int64_t axis, int64_t rank);

  struct Weight {
    llvm::StringRef name, initializer; // initializer: the argument that holds it
    llvm::SmallVector<int64_t, 4> shape;
    bool trainable = true;
    llvm::StringRef group = "";             // "cell": the object inside the layer that has it
    mlir::DictionaryAttr special = nullptr; // instead of `initializer`
    mlir::Type element = nullptr;           // instead of the layer's dtype
  };
  /// Reads a variable of this layer, which the first call declares. Variables are stored in the
  /// order of their declaration.
  mlir::FailureOr<mlir::Value> weight(const Weight &weight);
  mlir::DictionaryAttr initializer(llvm::StringRef argument);
  /// Sets a variable that was read before.
  void assign(llvm::StringRef name, mlir::Value value);

  /// What the layer's activity_regularizer makes of an output becomes a part of the loss.
  mlir::LogicalResult regularize(const Tensor &output);
  /// What `regularizer` makes of an output becomes a part of the loss.
  void penalize(mlir::Value output, mlir::DictionaryAttr regularizer);

  /// The seed and counter of the model's randomness, and a stream of its own for each use.
  mlir::Value rng();
  int64_t nextStream();
  /// States that two symbols stand for the same size.
  void unify(int64_t a, int64_t b);

private:
  friend class FunctionEmitter;
  mlir::Attribute penaltyOf(const Weight &weight, llvm::StringRef kind);
  mlir::Value givenMask();

  ModuleState &module;
  const Layer &layer;
  LayerState &state;
  std::map<std::string, std::vector<Tensor>, std::less<>> further;
  std::map<std::string, const Json *, std::less<>> literals;
  InnerEmitter emitter;
  std::vector<Tensor> furtherOutputs;
};

} // namespace formwork::keras
