// A kernel's tensors as buffers: what each argument, result and loop of it is, once it is
// scheduled.
#pragma once

#include "codegen/kernel/Evaluator.h"

namespace formwork {

/// The buffers that each computed value is written to.
using OutputBuffers = llvm::DenseMap<mlir::Value, llvm::SmallVector<mlir::Value>>;

/// A function beside `kernel` that takes its arguments as buffers, after `leading` ones. Its body
/// is empty; what is known of the kernel is known of it.
mlir::func::FuncOp declareOnBuffers(mlir::func::FuncOp kernel, llvm::StringRef name,
                                    llvm::ArrayRef<mlir::Type> leading, mlir::TypeRange results);

/// Binds tensors to these arguments, computes what is outside of all tiles, and tells the evaluator
/// how far each dimension extends.
mlir::LogicalResult bindArguments(const Kernel &kernel, Evaluator &evaluator, Writer &writer,
                                  mlir::ValueRange arguments);

/// Results' buffers, seen in the shape of the value that is computed.
OutputBuffers bindOutputs(const Kernel &kernel, Evaluator &evaluator, Writer &writer);

} // namespace formwork
