// Windows that slide over images [n, spatial dimensions..., channels]: what convolutions and
// poolings share. There may be any number of spatial dimensions: one for sequences, two, three for
// volumes.
#pragma once

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Location.h"
#include "mlir/IR/OpDefinition.h"

namespace mlir {
class ImplicitLocOpBuilder;
}

namespace formwork {

/// One spatial dimension of a sliding window. Padding at the end may be negative: so much of the
/// image's end is then read by no window.
struct Window {
  int64_t size, stride, dilation, low, high;

  /// How many elements of the image it spans.
  int64_t span() const { return (size - 1) * dilation + 1; }
  /// How often it fits into an image of `length` (`?` if that is).
  int64_t positions(int64_t length) const;
  mlir::OpFoldResult positions(mlir::ImplicitLocOpBuilder &builder,
                               mlir::OpFoldResult length) const;
  /// The length, up to `length`, of the part of an image that the first `count` positions read.
  int64_t reach(int64_t length, int64_t count) const;
  /// The padding at the end with which there are `count` positions in an image of `length`, and
  /// nothing is left over.
  int64_t highFor(int64_t length, int64_t count) const { return end(count) - length; }
  /// Whether it reads each element of an image by itself.
  bool isPointwise() const { return size == 1 && stride == 1; }

private:
  /// Where the image, or its padding, ends that the first `count` positions read.
  int64_t end(int64_t count) const { return (count - 1) * stride + span() - low; }
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

} // namespace formwork
