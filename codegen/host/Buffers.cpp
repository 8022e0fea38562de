// Descriptors by hand, where there is no memref yet or its offset must go.
#include "codegen/host/Buffers.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace formwork {

Value BufferBuilder::lowered(Value value) {
  Type type = types.convertType(value.getType());
  if (type == value.getType())
    return value;
  // What was raised: folding then finds the pointer that a descriptor was made of.
  if (auto raised = value.getDefiningOp<UnrealizedConversionCastOp>();
      raised && raised.getNumOperands() == 1 && raised.getOperand(0).getType() == type)
    return raised.getOperand(0);
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
      size = lowered(sizes.back()); // one already lowered stays as it is
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

//===--- handing buffers on ------------------------------------------------------------------------

void BufferBuilder::passedTypes(Type type, SmallVectorImpl<Type> &passed) {
  auto buffer = dyn_cast<MemRefType>(type);
  if (!buffer)
    return passed.push_back(types.convertType(type));
  assert(buffer.getLayout().isIdentity() && "a pointer tells no strides");
  passed.push_back(LLVM::LLVMPointerType::get(builder.getContext()));
  passed.append(buffer.getNumDynamicDims(), types.getIndexType());
}

/// A view into an arena needs no descriptor to be pointed to.
Value BufferBuilder::pointerTo(Value buffer) {
  Location location = buffer.getLoc();
  Type pointer = LLVM::LLVMPointerType::get(builder.getContext());
  if (auto view = buffer.getDefiningOp<memref::ViewOp>())
    return LLVM::GEPOp::create(builder, location, pointer, builder.getI8Type(),
                               pointerTo(view.getSource()),
                               ValueRange{lowered(view.getByteShift())});
  return builder.createOrFold<LLVM::ExtractValueOp>(location, lowered(buffer), ArrayRef<int64_t>{1});
}

Value BufferBuilder::sizeOf(Value buffer, int64_t dimension) {
  auto type = cast<MemRefType>(buffer.getType());
  if (auto view = buffer.getDefiningOp<memref::ViewOp>())
    return lowered(view.getSizes()[type.getDynamicDimIndex(dimension)]);
  return builder.createOrFold<LLVM::ExtractValueOp>(buffer.getLoc(), lowered(buffer),
                                                    ArrayRef<int64_t>{3, dimension});
}

void BufferBuilder::pass(Value value, SmallVectorImpl<Value> &passed) {
  auto type = dyn_cast<MemRefType>(value.getType());
  if (!type)
    return passed.push_back(lowered(value));
  passed.push_back(pointerTo(value));
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (type.isDynamicDim(i))
      passed.push_back(sizeOf(value, i));
}

Value BufferBuilder::received(Location location, Type type, ValueRange &passed) {
  Value first = passed.front();
  passed = passed.drop_front();
  auto buffer = dyn_cast<MemRefType>(type);
  if (!buffer)
    return raised(first, type);
  ValueRange sizes = passed.take_front(buffer.getNumDynamicDims());
  passed = passed.drop_front(sizes.size());
  return fromPointer(location, first, buffer, sizes);
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
