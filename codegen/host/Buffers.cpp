// Descriptors by hand, where there is no memref yet or its offset must go.
#include "codegen/host/Buffers.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace formwork {

Value BufferBuilder::lowered(Value value) {
  Type type = types.convertType(value.getType());
  if (type == value.getType())
    return value;
  return UnrealizedConversionCastOp::create(builder, value.getLoc(), type, value).getResult(0);
}

Value BufferBuilder::raised(Value value, Type type) {
  if (type == value.getType())
    return value;
  return UnrealizedConversionCastOp::create(builder, value.getLoc(), type, value).getResult(0);
}

static void setBase(MemRefDescriptor &descriptor, OpBuilder &builder, Location location,
                    Value pointer) {
  descriptor.setAllocatedPtr(builder, location, pointer);
  descriptor.setAlignedPtr(builder, location, pointer);
  descriptor.setConstantOffset(builder, location, 0);
}

Value BufferBuilder::fromPointer(Location location, Value pointer, MemRefType type,
                                 ValueRange sizes) {
  auto descriptor = MemRefDescriptor::poison(builder, location, types.convertType(type));
  setBase(descriptor, builder, location, pointer);
  auto constant = [&](int64_t value) -> Value {
    return LLVM::ConstantOp::create(builder, location, types.getIndexType(),
                                    builder.getIntegerAttr(types.getIndexType(), value));
  };
  Value stride = constant(1);
  for (int64_t i = type.getRank() - 1; i >= 0; --i) {
    Value size;
    if (type.isDynamicDim(i)) {
      size = lowered(sizes.back());
      sizes = sizes.drop_back();
    } else {
      size = constant(type.getDimSize(i));
    }
    descriptor.setSize(builder, location, i, size);
    descriptor.setStride(builder, location, i, stride);
    stride = LLVM::MulOp::create(builder, location, stride, size);
  }
  return raised(descriptor, type);
}

Value BufferBuilder::rebased(Value buffer, MemRefType type) {
  Location location = buffer.getLoc();
  MemRefDescriptor from(lowered(buffer));
  Type element = types.convertType(type.getElementType());
  Value first = LLVM::GEPOp::create(
      builder, location, LLVM::LLVMPointerType::get(builder.getContext()), element,
      from.alignedPtr(builder, location), ValueRange{from.offset(builder, location)});
  auto to = MemRefDescriptor::poison(builder, location, types.convertType(type));
  setBase(to, builder, location, first);
  for (int64_t i = 0; i < type.getRank(); ++i) {
    to.setSize(builder, location, i, from.size(builder, location, i));
    to.setStride(builder, location, i, from.stride(builder, location, i));
  }
  return raised(to, type);
}

} // namespace formwork
