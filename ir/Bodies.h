// What ops with bodies share: writing a body out, the shapes it yields, what of it is needed.
#pragma once

#include "ir/Dialect.h"

#include "mlir/IR/IRMapping.h"

namespace formwork {

/// Clones the ops of `body` at `builder`, with `arguments` for its arguments; gives what it yields.
llvm::SmallVector<mlir::Value> writeBody(mlir::ImplicitLocOpBuilder &builder, mlir::Block &body,
                                         mlir::ValueRange arguments);
/// The same; `mapping` has the arguments and gets every value of the body.
llvm::SmallVector<mlir::Value> writeBody(mlir::ImplicitLocOpBuilder &builder, mlir::Block &body,
                                         mlir::IRMapping &mapping);

/// An uninitialized tensor of `type`, which is that of what `body` yields at `index` when given
/// arguments of the shapes of `examples`. Unknown sizes are found by writing out, on the examples,
/// what leads to that value; none of it is run, since only its shape is used.
mlir::Value emptyLikeYielded(mlir::ImplicitLocOpBuilder &builder, mlir::Block &body,
                             mlir::ValueRange examples, unsigned index,
                             mlir::RankedTensorType type);

/// Memory for a tensor like `example`, distinct from all other memory, unlike that of equal
/// tensor.empty.
mlir::Value memoryOfShape(mlir::ImplicitLocOpBuilder &builder, mlir::Value example);

/// `value`, to be computed in the memory of `destination`.
mlir::Value inMemoryOf(mlir::ImplicitLocOpBuilder &builder, mlir::Value value,
                       mlir::Value destination);

/// Which arguments of `body` the values it yields at `indices` are computed from.
llvm::BitVector argumentsNeededFor(mlir::Block &body, const llvm::BitVector &indices);

/// Writes into `region`, which is empty, a body that takes only the arguments kept and yields only
/// the values kept.
void copyBody(mlir::OpBuilder &builder, mlir::Block &body, mlir::Region &region,
              const llvm::BitVector &keptArguments, const llvm::BitVector &keptYields);

/// Replaces the results of `op` that are kept by those of `smaller`, in order, and erases `op`. No
/// one uses the others.
void replaceKept(mlir::RewriterBase &rewriter, mlir::Operation *op, mlir::Operation *smaller,
                 const llvm::BitVector &kept);

/// Those of `values` whose bits are set.
llvm::SmallVector<mlir::Value> choose(mlir::ValueRange values, const llvm::BitVector &kept);

/// Gives `body` arguments of these types. For verifiers and retyping.
void setArgumentTypes(mlir::Block &body, mlir::TypeRange types);

/// Bits `from` to `from + count` of `bits`.
llvm::BitVector slice(const llvm::BitVector &bits, unsigned from, unsigned count);

/// Whether the results are used, a bit each.
llvm::BitVector usedResults(mlir::Operation *op);

bool isFloat(mlir::Value value);

/// Which of the values are floating-point tensors.
llvm::BitVector floats(mlir::ValueRange values);

} // namespace formwork
