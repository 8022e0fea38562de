// The list of layer families.
#include "frontend/keras/Registry.h"

#include "llvm/ADT/STLExtras.h"

namespace formwork::keras {

static const Registration &allLayers() {
  static const Registration layers = [] {
    Registration all;
    registerCoreLayers(all);
    registerActivationLayers(all);
    registerNoiseLayers(all);
    registerPreprocessingLayers(all);
    registerGroupNormalizationLayers(all);
    registerMergeLayers(all);
    registerNormalizationLayers(all);
    registerConvolutionLayers(all);
    registerTransposedConvolutionLayers(all);
    registerPoolingLayers(all);
    registerResizingLayers(all);
    registerLstm(all);
    registerGru(all);
    registerSimpleRnn(all);
    registerBidirectional(all);
    registerTimeDistributed(all);
    registerMultiHeadAttention(all);
    registerMasking(all);
    registerOperations(all);
    llvm::sort(all, [](const LayerClass &a, const LayerClass &b) { return a.name < b.name; });
    return all;
  }();
  return layers;
}

const LayerClass *lookUpLayer(llvm::StringRef className) {
  for (const LayerClass &layer : allLayers())
    if (layer.name == className)
      return &layer;
  return nullptr;
}

std::vector<llvm::StringRef> supportedLayers() {
  std::vector<llvm::StringRef> names;
  for (const LayerClass &layer : allLayers())
    names.push_back(layer.name);
  return names;
}

} // namespace formwork::keras
