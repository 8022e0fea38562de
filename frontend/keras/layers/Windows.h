// What layers with windows share. Inside they are channels_last: channels_first is a transpose on
// both sides.
#pragma once

#include "frontend/keras/LayerCall.h"

namespace formwork::keras {

bool isChannelsFirst(LayerCall &call);

/// The one input, images with so many spatial dimensions, with the channels last.
mlir::FailureOr<Tensor> images(LayerCall &call, int64_t spatial);

/// Channels-last images in the layer's format.
Tensor inFormat(LayerCall &call, const Tensor &y);

/// A window that slides over the spatial dimensions.
struct SlidingWindow {
  std::vector<int64_t> size, strides, dilations;

  size_t rank() const { return size.size(); }
  int64_t extent(size_t i) const { return (size[i] - 1) * dilations[i] + 1; }
};

/// What comes before and after each spatial dimension of x, as the argument "padding" has it.
/// "same" is TensorFlow's: of what is missing the larger half comes after, and how much is missing
/// depends on the size.
mlir::FailureOr<llvm::SmallVector<int64_t>> paddingFor(LayerCall &call, const Tensor &x,
                                                       const SlidingWindow &window);

/// One element per position of the windows over x: sizes that change are derived ones.
Tensor overPositions(mlir::Value value, const Tensor &x, const SlidingWindow &window,
                     llvm::ArrayRef<int64_t> padding);

} // namespace formwork::keras
