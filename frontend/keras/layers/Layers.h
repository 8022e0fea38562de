// What layer families share.
#pragma once

#include "frontend/keras/LayerCall.h"
#include "ir/Expr.h"

namespace formwork::keras {

/// The sum over dimension `ofA` of a and `ofB` of b: a's other dimensions, then b's.
mlir::Value contract(mlir::ImplicitLocOpBuilder &builder, mlir::Value a, mlir::Value b, int64_t ofA,
                     int64_t ofB);

/// Dimension i of the result is dimension order[i] of x.
Tensor permute(mlir::ImplicitLocOpBuilder &builder, const Tensor &x, llvm::ArrayRef<int64_t> order);

/// Dropout with a stream of its own: elements survive scaled by 1 / (1 - rate).
mlir::Value drop(LayerCall &call, mlir::Value x, double rate);

/// The axes that the argument "axis" names, counted from the front, increasing. `saying` begins
/// what is said of one that is named twice: "it normalizes".
mlir::FailureOr<llvm::SmallVector<int64_t>> axesOf(LayerCall &call, const Tensor &x,
                                                   llvm::StringRef saying);
mlir::LogicalResult haveFixedSizes(LayerCall &call, const Tensor &x, llvm::ArrayRef<int64_t> axes);

/// Checks that two tensors of one rank broadcast; `sum` gets the symbols of their sum.
mlir::LogicalResult broadcast(LayerCall &call, Tensor &sum, const Tensor &input);

/// A variable that the layer has if the argument `flag` is true, else null. Its initializer is the
/// argument `name`_initializer.
mlir::FailureOr<mlir::Value> optionalWeight(LayerCall &call, llvm::StringRef flag,
                                            llvm::StringRef name, llvm::ArrayRef<int64_t> shape);

/// What isNumbers approved, as a constant of the layer's type.
mlir::Value numbers(LayerCall &call, llvm::StringRef argument);

/// A scalar that broadcasts with `like`.
mlir::Value scalar(mlir::ImplicitLocOpBuilder &builder, double value, mlir::Type element);

/// A vector along dimension `axis` of a tensor of rank `rank`, for broadcasting.
mlir::Value alongAxis(mlir::ImplicitLocOpBuilder &builder, mlir::Value vector, int64_t axis,
                      int64_t rank);

/// Numbers along dimension `axis` of a tensor of rank `rank`, for broadcasting.
mlir::Value constantAlong(mlir::ImplicitLocOpBuilder &builder, llvm::ArrayRef<double> values,
                          int64_t axis, int64_t rank, mlir::Type element);

} // namespace formwork::keras
