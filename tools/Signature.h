// `--signature 'x:f32[32,784]'`: sizes that a concrete function is compiled for.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace formwork {

/// One input of a signature, as written.
struct InputSignature {
  std::string name;
  std::string dtype; ///< "f32"; see dtypeName.
  llvm::SmallVector<int64_t> shape;
};

/// Reads `NAME:DTYPE[SIZE,SIZE,...]`, several of them separated by spaces or `;`. On failure
/// `problem` says what is wrong.
std::optional<std::vector<InputSignature>> parseSignature(llvm::StringRef text,
                                                          std::string &problem);

/// "f32", "f64", "i32", "i64" or "bool".
llvm::StringRef dtypeName(mlir::Type element);

/// The size of each of the model's `symbolCount` symbols, from the inputs of `predict`. A size that
/// contradicts the model or another input, a name that is no input and a symbol without a size are
/// errors, each with a note for the fact it conflicts with.
mlir::FailureOr<llvm::SmallVector<int64_t>>
solveSignature(mlir::func::FuncOp predict, int64_t symbolCount,
               llvm::ArrayRef<InputSignature> signature);

/// Every symbol but the batch unknown: the signature of a batch size alone, if the model has no
/// other symbols; nothing otherwise.
std::optional<llvm::SmallVector<int64_t>> batchSignature(int64_t symbolCount, int64_t batch);

} // namespace formwork
