// What is known of a launch when it is compiled is passed as constants; the runtime adds up.
#include "codegen/host/Profiling.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace formwork {

static LLVM::LLVMFuncOp declare(ModuleOp module, StringRef name, Type result,
                                ArrayRef<Type> arguments) {
  auto builder = OpBuilder::atBlockBegin(module.getBody());
  return LLVM::LLVMFuncOp::create(builder, module.getLoc(), name,
                                  LLVM::LLVMFunctionType::get(result, arguments));
}

Profiling::Profiling(ModuleOp module)
    : module(module), i64(IntegerType::get(module.getContext(), 64)),
      pointer(LLVM::LLVMPointerType::get(module.getContext())) {
  startFunction = declare(module, "formwork_profile_start", i64, {});
  stopFunction =
      declare(module, "formwork_profile_stop", LLVM::LLVMVoidType::get(module.getContext()),
              {i64, pointer, pointer, i64, i64});
}

/// The address of the words, each of which is in the module once: the runtime tells kernels apart
/// by it.
Value Profiling::text(OpBuilder &builder, Location location, StringRef words) {
  LLVM::GlobalOp &global = texts[words];
  if (!global) {
    auto begin = OpBuilder::atBlockBegin(module.getBody());
    std::string bytes = words.str() + '\0';
    auto type = LLVM::LLVMArrayType::get(begin.getI8Type(), bytes.size());
    global = LLVM::GlobalOp::create(
        begin, location, type, /*isConstant=*/true, LLVM::Linkage::Internal,
        "profile_text_" + std::to_string(texts.size()), begin.getStringAttr(bytes));
  }
  return LLVM::AddressOfOp::create(builder, location, global);
}

Value Profiling::start(OpBuilder &builder, Location location) {
  return LLVM::CallOp::create(builder, location, startFunction, ValueRange()).getResult();
}

/// The sum over launches, or 0, unknown, if one is unknown.
static int64_t total(ArrayRef<LaunchOp> launches, StringRef attribute) {
  int64_t sum = 0;
  for (LaunchOp launch : launches) {
    auto count = launch->getAttrOfType<IntegerAttr>(attribute);
    if (!count)
      return 0;
    sum += count.getInt();
  }
  return sum;
}

static std::string layersOf(ArrayRef<LaunchOp> launches) {
  llvm::SetVector<StringRef> layers;
  for (LaunchOp launch : launches)
    if (auto names = launch->getAttrOfType<ArrayAttr>("fw.layers"))
      for (auto name : names.getAsValueRange<StringAttr>())
        layers.insert(name);
  return llvm::join(layers, ", ");
}

void Profiling::stop(OpBuilder &builder, Value start, StringRef launcher,
                     ArrayRef<LaunchOp> launches) {
  LaunchOp last = launches.back();
  Location location = last.getLoc();
  auto number = [&](StringRef attribute) -> Value {
    return LLVM::ConstantOp::create(builder, location, i64,
                                    builder.getI64IntegerAttr(total(launches, attribute)));
  };
  launcher.consume_front("kernel.");
  launcher.consume_back(".launch");
  LLVM::CallOp::create(builder, location, stopFunction,
                       ValueRange{start, text(builder, location, launcher),
                                  text(builder, location, layersOf(launches)), number("fw.flops"),
                                  number("fw.bytes")});
}

} // namespace formwork
