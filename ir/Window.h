// Windows that slide over images [n, spatial dimensions..., channels]: what convolutions and
// pooling share. There may be any number of spatial dimensions: one for sequences, two, three for
// volumes.
#pragma once

#include "ir/Generic.h"

namespace formwork {

/// One spatial dimension of a sliding window.
struct Window {
  int64_t size, stride, dilation, low, high;

  /// How many elements of the image it spans.
  int64_t span() const { return (size - 1) * dilation + 1; }
  /// How often it fits into an image of `length` (`?` if that is).
  int64_t positions(int64_t length) const;
  mlir::OpFoldResult positions(mlir::ImplicitLocOpBuilder &builder,
                               mlir::OpFoldResult length) const;
};

/// One for each spatial dimension. No dilations are dilations of 1.
using Windows = llvm::SmallVector<Window, 2>;
Windows windowsOf(llvm::ArrayRef<int64_t> size, llvm::ArrayRef<int64_t> strides,
                  llvm::ArrayRef<int64_t> padding, llvm::ArrayRef<int64_t> dilations = {});

/// The attributes make windows, and those fit into images of `type`.
mlir::LogicalResult verifyWindows(std::optional<mlir::Location> location,
                                  mlir::RankedTensorType type, llvm::ArrayRef<int64_t> size,
                                  llvm::ArrayRef<int64_t> strides, llvm::ArrayRef<int64_t> padding,
                                  std::optional<llvm::ArrayRef<int64_t>> dilations = {});

/// The shape of one element per position of the windows, with so many channels.
llvm::SmallVector<int64_t> positions(mlir::RankedTensorType image, const Windows &windows,
                                     int64_t channels);
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
