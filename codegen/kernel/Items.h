// What a kernel has to compute, and what of it must be computed together.
#pragma once

#include "codegen/kernel/Kernel.h"

#include "llvm/ADT/SetVector.h"

namespace formwork {

using OpSet = llvm::SetVector<mlir::Operation *>;

/// A reduction, or the op of an output.
struct Item {
  mlir::linalg::GenericOp op;
  OpSet behind; // reductions whose results it reads, through pointwise ops
};

/// In the order of the body; what no output needs is left out.
std::vector<Item> findItems(const Kernel &kernel);

/// Reductions that a value is computed from, through pointwise ops.
void collectReductions(mlir::Value value, OpSet &reductions);

/// Dimensions that all of these items have in parallel.
Dims outerDims(const Kernel &kernel, llvm::ArrayRef<Item> items, llvm::ArrayRef<unsigned> members);

/// Items that need each other, or that may share chunks and the dimension along which they write,
/// are together.
llvm::SmallVector<llvm::SmallVector<unsigned>> connectItems(const Kernel &kernel,
                                                            llvm::ArrayRef<Item> items);

/// The structured op behind a value, through reshapes.
mlir::linalg::GenericOp producerOf(mlir::Value value);
/// Tensors that an op reads, in its operands or in its body.
llvm::SmallVector<mlir::Value> readsOf(mlir::linalg::GenericOp op);
/// The dimension along which an op's result is contiguous.
int writtenAlong(const Kernel &kernel, mlir::linalg::GenericOp op);
/// `inner` in loop order: the one that the op's output is contiguous in comes last.
Dims innerOrder(const Kernel &kernel, mlir::linalg::GenericOp op, Dims inner);
/// What an op reduces, in loop order: along the last, most inputs are contiguous.
Dims reducedOrder(const Kernel &kernel, mlir::linalg::GenericOp op);

} // namespace formwork
