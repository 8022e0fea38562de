// Images with what lies around them, for windows to slide over.
#pragma once

#include "ir/Generic.h"
#include "ir/Window.h"

namespace formwork {

/// The sizes of one element per position and channel.
Sizes positions(mlir::ImplicitLocOpBuilder &builder, mlir::Value image, const Windows &windows);

/// Images `x` with the windows' padding around them.
mlir::Value padded(mlir::ImplicitLocOpBuilder &builder, mlir::Value x, const Windows &windows,
                   double value);

/// `y`, one element per window position, spread out to one element per position of the image and
/// surrounded by `value`, so that the windows that cover place h of the image hold places h to
/// h + span - 1: each spatial dimension has the size of that of `image`, and span - 1 more.
mlir::Value spread(mlir::ImplicitLocOpBuilder &builder, mlir::Value y, mlir::Value image,
                   const Windows &windows, double value);

} // namespace formwork
