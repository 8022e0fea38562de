// What a layer's function sees of one call: its arguments, its inputs, and how to make variables.
#pragma once

#include "frontend/Diagnostics.h"
#include "frontend/keras/Graph.h"
#include "frontend/keras/Initializers.h"

#include "ir/Dialect.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

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

/// What calls share while a module is built: symbols, streams of randomness, names.
class ModuleState;

class LayerCall {
public:
  LayerCall(ModuleState &module, const Layer &layer, LayerState &state,
            mlir::ImplicitLocOpBuilder &builder, std::vector<Tensor> inputs, bool isList,
            bool training)
      : builder(builder), inputs(std::move(inputs)), isList(isList), training(training),
        arguments(*layer.config, layer.kind->arguments), dtype(layer.dtype), module(module),
        layer(layer), state(state) {}

  mlir::ImplicitLocOpBuilder &builder;
  std::vector<Tensor> inputs; // floats among them are of `dtype`, as Keras's autocast has it
  const bool isList;
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
  mlir::LogicalResult penalize(const Tensor &output);

  /// The seed and counter of the model's randomness, and a stream of its own for each use.
  mlir::Value rng();
  int64_t nextStream();
  /// States that two symbols stand for the same size.
  void unify(int64_t a, int64_t b);

private:
  mlir::Attribute penaltyOf(const Weight &weight, llvm::StringRef kind);

  ModuleState &module;
  const Layer &layer;
  LayerState &state;
};

} // namespace formwork::keras
