// The way down to linalg: one linalg.generic around a scalar formula, and what it writes into.
#pragma once

#include "ir/Dialect.h"

#include "mlir/Dialect/Utils/StructuredOpsUtils.h"

namespace formwork {

/// Sizes of a tensor, attributes where they are static.
using Sizes = llvm::SmallVector<mlir::OpFoldResult>;
Sizes sizesOf(mlir::ImplicitLocOpBuilder &builder, mlir::Value value);
mlir::OpFoldResult sizeOf(mlir::ImplicitLocOpBuilder &builder, mlir::Value value, int64_t axis);
/// a * scale + offset, folded if `a` is known.
mlir::OpFoldResult scaled(mlir::ImplicitLocOpBuilder &builder, mlir::OpFoldResult a, int64_t scale,
                          int64_t offset);
mlir::OpFoldResult added(mlir::ImplicitLocOpBuilder &builder, mlir::OpFoldResult a,
                         mlir::OpFoldResult b);
mlir::OpFoldResult multiplied(mlir::ImplicitLocOpBuilder &builder, mlir::OpFoldResult a,
                              mlir::OpFoldResult b);
mlir::Value asValue(mlir::ImplicitLocOpBuilder &builder, mlir::OpFoldResult index);

/// Known to have no elements. Upstream's slices may not begin at the end of what they slice, so a
/// slice of nothing must not be written.
bool isEmpty(mlir::Type type);

/// An uninitialized tensor of `type`; of `sizes` those are used that `type` leaves open.
mlir::Value emptyOf(mlir::ImplicitLocOpBuilder &builder, mlir::RankedTensorType type,
                    llvm::ArrayRef<mlir::OpFoldResult> sizes);

/// `empty` filled with a constant.
mlir::Value filled(mlir::ImplicitLocOpBuilder &builder, mlir::Value empty, mlir::TypedAttr value);
mlir::Value filled(mlir::ImplicitLocOpBuilder &builder, mlir::Value empty, double value);

/// `value`, whose type is `type` but for which dimensions are known.
mlir::Value conform(mlir::ImplicitLocOpBuilder &builder, mlir::Value value, mlir::Type type);

using ScalarBody = llvm::function_ref<Expr(llvm::ArrayRef<Expr>)>;

/// linalg.generic over `inputs` into `initial`. The body sees one element of each input and, last,
/// of the output.
mlir::Value generic(mlir::ImplicitLocOpBuilder &builder, mlir::ValueRange inputs,
                    mlir::Value initial, llvm::ArrayRef<mlir::AffineMap> maps,
                    llvm::ArrayRef<mlir::utils::IteratorType> iterators, ScalarBody body);

/// A tensor and which loops index it.
struct Indexed {
  mlir::Value tensor;
  llvm::SmallVector<mlir::AffineExpr> indices;
};

/// linalg.generic over `loops` loops; those that index `initial` plainly are parallel, the others
/// reduce into it.
mlir::Value generic(mlir::ImplicitLocOpBuilder &builder, int64_t loops,
                    llvm::ArrayRef<Indexed> inputs, const Indexed &initial, ScalarBody body);

/// In the body of a generic: the index of loop `dimension` as an integer of `type`.
Expr loopIndex(mlir::ImplicitLocOpBuilder &scalars, int64_t dimension, mlir::Type type);

} // namespace formwork
