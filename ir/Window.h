// Windows that slide over images: what convolutions and pooling share.
#pragma once

#include "ir/Generic.h"

#include <array>

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

/// Over height and width.
using Windows = std::array<Window, 2>;
Windows windowsOf(llvm::ArrayRef<int64_t> size, llvm::ArrayRef<int64_t> strides,
                  llvm::ArrayRef<int64_t> padding, llvm::ArrayRef<int64_t> dilations = {1, 1});

/// The attributes make windows, and those fit into images of `type` [n, h, w, c].
mlir::LogicalResult verifyWindows(std::optional<mlir::Location> location,
                                  mlir::RankedTensorType type, llvm::ArrayRef<int64_t> size,
                                  llvm::ArrayRef<int64_t> strides, llvm::ArrayRef<int64_t> padding,
                                  llvm::ArrayRef<int64_t> dilations = {1, 1});

/// Images `x` with the windows' padding around them.
mlir::Value padded(mlir::ImplicitLocOpBuilder &builder, mlir::Value x, const Windows &windows,
                   double value);

/// `y`, one element per window position, spread out to one element per position of the image and
/// surrounded by `value`, so that the windows that cover image row h hold rows h to h + span - 1:
/// [n, height + span - 1, width + span - 1, c]. Height and width are those of `image`.
mlir::Value spread(mlir::ImplicitLocOpBuilder &builder, mlir::Value y, mlir::Value image,
                   const Windows &windows, double value);

} // namespace formwork
