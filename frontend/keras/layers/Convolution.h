// What plain and transposed convolutions share.
#pragma once

#include "frontend/keras/layers/Windows.h"

namespace formwork::keras {

/// As the arguments "kernel_size", "strides" and "dilation_rate" say.
SlidingWindow kernelWindow(LayerCall &call, size_t rank);

/// Keras allows strides or dilations, not both.
mlir::LogicalResult checkSteps(LayerCall &call, const SlidingWindow &window);

/// The channels of channels-last images, which must be known.
mlir::FailureOr<int64_t> channelsOf(LayerCall &call, const Tensor &x);

/// A window's dimensions, then these.
llvm::SmallVector<int64_t, 4> kernelShape(llvm::ArrayRef<int64_t> window, int64_t channels,
                                          int64_t filters);

/// Adds the bias of a convolution and applies its activation, in the layer's format.
mlir::FailureOr<Tensor> finishConvolution(LayerCall &call, Tensor y);

} // namespace formwork::keras
