// The Keras layers that this front end knows: a table of arguments and a function each.
#pragma once

#include "frontend/keras/Arguments.h"

#include "mlir/Support/LLVM.h"

namespace formwork::keras {

class LayerCall;
struct Tensor;

/// Emits one call of a layer and returns its first output. On failure it has said why.
using LayerBuilder = mlir::FailureOr<Tensor> (*)(LayerCall &call);

/// What becomes of the mask of a layer's input: Keras's supports_masking and compute_mask.
enum class MaskRule {
  drop, // the output has none
  pass, // it is the output's
  own   // the layer's function gives its outputs masks
};

struct LayerClass {
  llvm::StringRef name;
  ArgumentTable arguments;
  LayerBuilder build;
  MaskRule mask = MaskRule::drop;
  /// What its call takes after the first argument, in Python's order.
  llvm::ArrayRef<llvm::StringLiteral> callArguments = {};
  size_t mostOutputs = 1;
  /// A wrapper's argument that holds a layer, and what its object calls that layer.
  struct Wrapped {
    llvm::StringLiteral argument, member;
  };
  llvm::ArrayRef<Wrapped> wraps = {};
  /// Takes the masks off the very tensors that it is called with: what reads them later finds none.
  bool clearsMasks = false;
  /// Its activity_regularizer is for outputs of its parts, which its function sees to.
  bool regularizesParts = false;
};

/// Null if there is no such layer; functions of keras.ops are called "ops.NotEqual".
const LayerClass *lookUpLayer(llvm::StringRef className);

/// All of them, by name.
std::vector<llvm::StringRef> supportedLayers();

// The families; each is a file in layers/.
using Registration = std::vector<LayerClass>;
void registerCoreLayers(Registration &layers);
void registerActivationLayers(Registration &layers);
void registerNoiseLayers(Registration &layers);
void registerPreprocessingLayers(Registration &layers);
void registerGroupNormalizationLayers(Registration &layers);
void registerMergeLayers(Registration &layers);
void registerNormalizationLayers(Registration &layers);
void registerConvolutionLayers(Registration &layers);
void registerTransposedConvolutionLayers(Registration &layers);
void registerPoolingLayers(Registration &layers);
void registerResizingLayers(Registration &layers);
void registerLstm(Registration &layers);
void registerGru(Registration &layers);
void registerSimpleRnn(Registration &layers);
void registerBidirectional(Registration &layers);
void registerTimeDistributed(Registration &layers);
void registerMultiHeadAttention(Registration &layers);
void registerMasking(Registration &layers);
void registerOperations(Registration &layers);

} // namespace formwork::keras
