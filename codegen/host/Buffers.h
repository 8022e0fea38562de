// Memrefs and the pointers and descriptors that they become, while both are in the IR.
#pragma once

#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace formwork {

/// Builds memrefs out of pointers, before memrefs are converted: each descriptor passes through a
/// cast that the conversion removes.
class BufferBuilder {
public:
  BufferBuilder(mlir::OpBuilder &builder, mlir::LLVMTypeConverter &types)
      : builder(builder), types(types) {}

  /// A row-major buffer that begins at `pointer`; `sizes` are those of the `?` dimensions.
  mlir::Value fromPointer(mlir::Location location, mlir::Value pointer, mlir::MemRefType type,
                          mlir::ValueRange sizes = {});

  /// The descriptor of `value`, or `value` itself if it is no memref, as the conversion will see
  /// it.
  mlir::Value lowered(mlir::Value value);
  mlir::Value raised(mlir::Value value, mlir::Type type);

  /// The same elements as a buffer without an offset. They must be dense.
  mlir::Value rebased(mlir::Value buffer, mlir::MemRefType type);

  /// What of a value is handed on: of a row-major buffer a pointer to its first element and the
  /// sizes of its `?` dimensions, of anything else what it is lowered to.
  void pass(mlir::Value value, llvm::SmallVectorImpl<mlir::Value> &passed);
  void passedTypes(mlir::Type type, llvm::SmallVectorImpl<mlir::Type> &passed);

  /// The value of `type` again, out of the first of `passed`, which are dropped.
  mlir::Value received(mlir::Location location, mlir::Type type, mlir::ValueRange &passed);

private:
  mlir::Value pointerTo(mlir::Value buffer);
  mlir::Value sizeOf(mlir::Value buffer, int64_t dimension);

  mlir::OpBuilder &builder;
  mlir::LLVMTypeConverter &types;
};

} // namespace formwork
