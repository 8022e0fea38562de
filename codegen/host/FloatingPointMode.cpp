// The control registers that say how denormals are treated: MXCSR on x86, FPCR on AArch64.
#include "codegen/host/FloatingPointMode.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;

namespace formwork {

static Value constant(OpBuilder &builder, Location location, Type type, int64_t value) {
  return LLVM::ConstantOp::create(builder, location, type, builder.getIntegerAttr(type, value));
}

static Value callIntrinsic(OpBuilder &builder, Location location, Type result, StringRef name,
                           ValueRange arguments) {
  auto symbol = builder.getStringAttr(name);
  if (result)
    return LLVM::CallIntrinsicOp::create(builder, location, result, symbol, arguments).getResult(0);
  LLVM::CallIntrinsicOp::create(builder, location, symbol, arguments);
  return {};
}

/// MXCSR is read and written through memory.
static void loadMxcsr(OpBuilder &builder, Location location, Value slot, Value mode) {
  LLVM::StoreOp::create(builder, location, mode, slot);
  callIntrinsic(builder, location, {}, "llvm.x86.sse.ldmxcsr", slot);
}

static Value slotForMxcsr(OpBuilder &builder, Location location) {
  Value one = constant(builder, location, builder.getI64Type(), 1);
  return LLVM::AllocaOp::create(builder, location, LLVM::LLVMPointerType::get(builder.getContext()),
                                builder.getI32Type(), one, /*alignment=*/4);
}

Value flushDenormals(OpBuilder &builder, Location location, const llvm::Triple &target) {
  if (target.isX86()) {
    // Flush to zero (bit 15) what is computed, and take denormals as zero (bit 6).
    constexpr int64_t flush = 0x8040;
    Type i32 = builder.getI32Type();
    Value slot = slotForMxcsr(builder, location);
    callIntrinsic(builder, location, {}, "llvm.x86.sse.stmxcsr", slot);
    Value saved = LLVM::LoadOp::create(builder, location, i32, slot);
    Value mode =
        LLVM::OrOp::create(builder, location, saved, constant(builder, location, i32, flush));
    loadMxcsr(builder, location, slot, mode);
    return saved;
  }
  if (target.isAArch64()) {
    constexpr int64_t flush = 1 << 24;
    Type i64 = builder.getI64Type();
    Value saved = callIntrinsic(builder, location, i64, "llvm.aarch64.get.fpcr", {});
    Value mode =
        LLVM::OrOp::create(builder, location, saved, constant(builder, location, i64, flush));
    callIntrinsic(builder, location, {}, "llvm.aarch64.set.fpcr", mode);
    return saved;
  }
  return {};
}

void restoreMode(OpBuilder &builder, Location location, const llvm::Triple &target, Value saved) {
  if (target.isX86())
    loadMxcsr(builder, location, slotForMxcsr(builder, location), saved);
  else if (target.isAArch64())
    callIntrinsic(builder, location, {}, "llvm.aarch64.set.fpcr", saved);
}

} // namespace formwork
