// Calls of runtime/profile.h around launches.
#pragma once

#include "ir/Dialect.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"

namespace formwork {

class Profiling {
public:
  /// Declares the functions.
  explicit Profiling(mlir::ModuleOp module);

  /// When it is, which `stop` wants.
  mlir::Value start(mlir::OpBuilder &builder, mlir::Location location);
  /// Books the time since then on the launches, which run as one function of that name.
  void stop(mlir::OpBuilder &builder, mlir::Value start, llvm::StringRef launcher,
            llvm::ArrayRef<LaunchOp> launches);

private:
  mlir::Value text(mlir::OpBuilder &builder, mlir::Location location, llvm::StringRef words);

  mlir::ModuleOp module;
  mlir::Type i64, pointer;
  mlir::LLVM::LLVMFuncOp startFunction, stopFunction;
  llvm::StringMap<mlir::LLVM::GlobalOp> texts;
};

} // namespace formwork
