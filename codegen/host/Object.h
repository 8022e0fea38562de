// LLVM's dialect to a relocatable object in memory.
#pragma once

#include "codegen/cpu/Target.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Target/TargetMachine.h"

namespace formwork {

/// The machine that code is made for. Empty strings mean this one. Fails with an error at
/// `location` on a triple or a CPU that LLVM does not know.
mlir::FailureOr<std::unique_ptr<llvm::TargetMachine>> makeTargetMachine(mlir::Location location,
                                                                        llvm::StringRef triple,
                                                                        llvm::StringRef cpu,
                                                                        llvm::StringRef features);

/// "x86_64-linux-gnu znver4"
std::string describe(const llvm::TargetMachine &machine);
/// What scheduling asks about the machine, from the features that it has.
CPUTarget scheduledFor(const llvm::TargetMachine &machine);

/// Optimizes and translates; `text`, if given, receives the optimized LLVM IR.
mlir::LogicalResult emitObject(mlir::ModuleOp module, llvm::TargetMachine &machine,
                               llvm::SmallVectorImpl<char> &object, llvm::raw_ostream *text);

/// All that may be left is what LLVM can translate; anything else is named by its layer.
mlir::LogicalResult verifyLowered(mlir::ModuleOp module);

} // namespace formwork
