// Writes the C interface of runtime/formwork.h around host functions: what all targets share.
#pragma once

#include "codegen/EntryTable.h"
#include "codegen/StateLayout.h"

#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace formwork {

class EntryWriter {
public:
  EntryWriter(mlir::ModuleOp module, const StateLayout &layout);
  virtual ~EntryWriter() = default;

  /// An entry and the function that tells its arena's size, under the names of `concrete`.
  mlir::LogicalResult write(const Entry &entry, const ConcreteEntry &concrete);

protected:
  /// The arguments of a formwork_function, and of whatever stands between it and a host function.
  enum Given { Context, Constants, State, Arena, Dims, Buffers, givenCount };

  /// Fills the rest of `function`, where `builder` is: sizes are checked.
  virtual mlir::LogicalResult writeRun(mlir::func::FuncOp host, mlir::LLVM::LLVMFuncOp function,
                                       const ConcreteEntry &concrete) = 0;

  mlir::LLVM::LLVMFuncOp declare(llvm::StringRef name, llvm::ArrayRef<mlir::Type> arguments,
                                 mlir::Type result);
  /// Adds what `host` takes after the `arguments` that are there already.
  mlir::LogicalResult gather(mlir::func::FuncOp host, mlir::ValueRange given,
                             llvm::SmallVectorImpl<mlir::Value> &arguments);
  /// Pointers of a formwork_context, the first `count`; null if there is no context.
  llvm::SmallVector<mlir::Value> loadContext(mlir::Value context, int count);
  mlir::Value constant(mlir::Type type, int64_t value);
  void returnStatus(int status);

  mlir::ModuleOp module;
  mlir::LLVMTypeConverter types;
  mlir::Type pointer;
  mlir::OpBuilder builder;
  mlir::Location location;

private:
  void writeArenaSize(const ConcreteEntry &concrete, mlir::func::FuncOp size);
  mlir::Value checkDims(const Entry &entry, const ConcreteEntry &concrete, mlir::Value dims);
  mlir::FailureOr<mlir::Value> argument(mlir::func::FuncOp host, unsigned index,
                                        mlir::ValueRange given, unsigned &buffer);
  mlir::Value load(mlir::Type type, mlir::Value base, int64_t index);
  mlir::Value byteOffset(mlir::Value base, int64_t offset);
  mlir::Value sizeOf(int64_t symbol, mlir::Value dims);

  const StateLayout &layout;
};

/// All entries of the module, through `writer`; then nothing is left of variables, and host
/// functions are the module's own. False if an entry could not be written.
bool writeEntries(mlir::ModuleOp module, llvm::ArrayRef<Entry> entries, EntryWriter &writer);

} // namespace formwork
