// The Keras layers that this front end knows: a table of arguments and a function each.
#pragma once

#include "frontend/keras/Arguments.h"

#include "mlir/Support/LLVM.h"

namespace formwork::keras {

class LayerCall;
struct Tensor;

/// Emits one call of a layer. On failure it has said why.
using LayerBuilder = mlir::FailureOr<Tensor> (*)(LayerCall &call);

struct LayerClass {
  llvm::StringRef name;
  ArgumentTable arguments;
  LayerBuilder build;
};

/// Null if there is no such layer.
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
void registerPoolingLayers(Registration &layers);
void registerResizingLayers(Registration &layers);
void registerRecurrentLayers(Registration &layers);

} // namespace formwork::keras
