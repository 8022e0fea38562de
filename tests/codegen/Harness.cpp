#include "tests/codegen/Harness.h"

#include "codegen/cpu/Passes.h"
#include "passes/Passes.h"
#include "tools/Dialects.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/ExecutionEngine/CRunnerUtils.h"
#include "mlir/ExecutionEngine/ExecutionEngine.h"
#include "mlir/ExecutionEngine/OptUtils.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "llvm/ExecutionEngine/Orc/JITTargetMachineBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

#include <cstring>

using namespace mlir;

namespace formwork::testing {

//===--- arrays ----------------------------------------------------------------------------------

static size_t bytesOf(Element element) {
  switch (element) {
  case Element::Bool:
    return 1;
  case Element::I32:
  case Element::F32:
    return 4;
  default:
    return 8;
  }
}

int64_t Array::size() const {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

template <typename T> static T get(const Array &array, int64_t index) {
  T value;
  std::memcpy(&value, array.bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

template <typename T> static void put(Array &array, int64_t index, T value) {
  std::memcpy(array.bytes.data() + index * sizeof(T), &value, sizeof(T));
}

double Array::at(int64_t index) const {
  switch (element) {
  case Element::Bool:
    return get<int8_t>(*this, index);
  case Element::I32:
    return get<int32_t>(*this, index);
  case Element::I64:
    return get<int64_t>(*this, index);
  case Element::F32:
    return get<float>(*this, index);
  case Element::F64:
    return get<double>(*this, index);
  }
  return 0;
}

void Array::set(int64_t index, double value) {
  switch (element) {
  case Element::Bool:
    return put<int8_t>(*this, index, value != 0);
  case Element::I32:
    return put<int32_t>(*this, index, value);
  case Element::I64:
    return put<int64_t>(*this, index, value);
  case Element::F32:
    return put<float>(*this, index, value);
  case Element::F64:
    return put<double>(*this, index, value);
  }
}

//===--- compilation -----------------------------------------------------------------------------

struct Compiled::State {
  std::unique_ptr<MLIRContext> context;
  std::unique_ptr<ExecutionEngine> engine;
  std::vector<Array> prototypes; // of the arguments
  unsigned outputs = 0;
  bool isScheduled = false;
};

Compiled::Compiled(std::unique_ptr<State> state) : state(std::move(state)) {}
Compiled::~Compiled() = default;

std::string substitute(std::string text, const Sizes &sizes, bool dynamic) {
  for (const auto &[name, size] : sizes) {
    std::string from = "{" + name + "}", to = dynamic ? "?" : std::to_string(size);
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at))
      text.replace(at, from.size(), to);
  }
  return text;
}

static Element elementOf(Type type) {
  if (type.isF32())
    return Element::F32;
  if (type.isF64())
    return Element::F64;
  return type.isInteger(1) ? Element::Bool : type.isInteger(32) ? Element::I32 : Element::I64;
}

std::vector<Array> prototypesOf(func::FuncOp function) {
  std::vector<Array> arrays;
  for (Type argument : function.getArgumentTypes()) {
    auto type = cast<RankedTensorType>(argument);
    Array array{elementOf(type.getElementType()), type.getShape().vec(), {}};
    array.bytes.assign(array.size() * bytesOf(array.element), 0);
    arrays.push_back(std::move(array));
  }
  return arrays;
}

std::unique_ptr<MLIRContext> makeContext() {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  DialectRegistry registry;
  registerDialects(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  auto context = std::make_unique<MLIRContext>(registry);
  context->disableMultithreading();
  return context;
}

static std::unique_ptr<llvm::TargetMachine> hostMachine(const std::string &cpu) {
  auto builder = llvm::cantFail(llvm::orc::JITTargetMachineBuilder::detectHost());
  if (!cpu.empty()) {
    builder.setCPU(cpu);
    builder.getFeatures() = llvm::SubtargetFeatures();
  }
  builder.setCodeGenOptLevel(llvm::CodeGenOptLevel::Aggressive);
  builder.getOptions().AllowFPOpFusion = llvm::FPOpFusion::Strict;
  return llvm::cantFail(builder.createTargetMachine());
}

/// Full width: by default LLVM prefers half of it on some processors.
static void preferWidth(ModuleOp module, int64_t bytes) {
  Builder builder(module.getContext());
  module.walk([&](LLVM::LLVMFuncOp function) {
    if (function.isExternal())
      return;
    auto bits = builder.getStringAttr(std::to_string(bytes * 8));
    function.setPassthroughAttr(builder.getArrayAttr(
        {builder.getStrArrayAttr({"prefer-vector-width", bits.getValue()}),
         builder.getStrArrayAttr({"min-legal-vector-width", bits.getValue()})}));
  });
}

static std::unique_ptr<ExecutionEngine> makeEngine(ModuleOp module, const std::string &cpu) {
  auto machine = hostMachine(cpu);
  ExecutionEngineOptions options;
  auto transformer = makeOptimizingTransformer(3, 0, machine.get());
  options.transformer = transformer;
  options.jitCodeGenOptLevel = llvm::CodeGenOptLevel::Aggressive;
  auto engine = llvm::cantFail(ExecutionEngine::create(module, options, std::move(machine)));
  // The reference pipeline copies between buffers of different strides by a call.
  engine->registerSymbols([](llvm::orc::MangleAndInterner interner) {
    llvm::orc::SymbolMap symbols;
    symbols[interner("memrefCopy")] = {llvm::orc::ExecutorAddr::fromPtr(&memrefCopy),
                                       llvm::JITSymbolFlags::Exported};
    return symbols;
  });
  return engine;
}

std::unique_ptr<Compiled> Compiled::scheduled(const std::string &text, const Sizes &sizes,
                                              const Options &options) {
  auto state = std::make_unique<State>();
  state->context = makeContext();
  state->isScheduled = true;
  auto exact = parseSourceString<ModuleOp>(substitute(text, sizes, false), state->context.get());
  if (!exact)
    return nullptr;
  auto shapes = *exact->getOps<func::FuncOp>().begin();
  state->prototypes = prototypesOf(shapes);
  state->outputs = shapes.getNumResults();
  auto module =
      parseSourceString<ModuleOp>(substitute(text, sizes, options.dynamic), state->context.get());
  auto unit = UnitAttr::get(state->context.get());
  for (auto function : module->getOps<func::FuncOp>()) {
    function->setAttr("fw.kernel", unit);
    function->setAttr("llvm.emit_c_interface", unit);
  }
  PassManager pipeline(state->context.get());
  buildCPUTilePipeline(pipeline, options.target);
  if (failed(pipeline.run(*module)))
    return nullptr;
  if (getenv("FORMWORK_TEST_PRINT"))
    module->dump();
  for (auto function : module->getOps<func::FuncOp>())
    function.setPublic();
  PassManager lowering(state->context.get());
  buildCPULoweringPipeline(lowering);
  if (failed(lowering.run(*module)))
    return nullptr;
  preferWidth(*module, options.target.vectorBytes);
  state->engine = makeEngine(*module, options.cpu);
  if (const char *path = getenv("FORMWORK_TEST_OBJECT"))
    state->engine->dumpToObjectFile(path);
  return std::unique_ptr<Compiled>(new Compiled(std::move(state)));
}

std::unique_ptr<Compiled> Compiled::plain(const std::string &text, const Sizes &sizes) {
  auto state = std::make_unique<State>();
  state->context = makeContext();
  auto module = parseSourceString<ModuleOp>(substitute(text, sizes, false), state->context.get());
  if (!module)
    return nullptr;
  auto function = *module->getOps<func::FuncOp>().begin();
  state->prototypes = prototypesOf(function);
  state->outputs = function.getNumResults();
  function.setPublic();
  PassManager pipeline(state->context.get());
  buildReferencePipeline(pipeline);
  if (failed(pipeline.run(*module)))
    return nullptr;
  state->engine = makeEngine(*module, "");
  return std::unique_ptr<Compiled>(new Compiled(std::move(state)));
}

//===--- runs ------------------------------------------------------------------------------------

std::vector<Array> Compiled::arguments() const { return state->prototypes; }
unsigned Compiled::outputs() const { return state->outputs; }

/// Descriptors as MLIR's C interface takes them.
static std::vector<std::vector<int64_t>> descriptorsOf(std::vector<Array> &arrays) {
  std::vector<std::vector<int64_t>> descriptors;
  for (Array &array : arrays) {
    auto data = reinterpret_cast<int64_t>(array.bytes.data());
    std::vector<int64_t> descriptor = {data, data, 0};
    descriptor.insert(descriptor.end(), array.shape.begin(), array.shape.end());
    std::vector<int64_t> strides(array.shape.size(), 1);
    for (int64_t i = int64_t(strides.size()) - 2; i >= 0; --i)
      strides[i] = strides[i + 1] * array.shape[i + 1];
    descriptor.insert(descriptor.end(), strides.begin(), strides.end());
    descriptors.push_back(std::move(descriptor));
  }
  return descriptors;
}

static void call(ExecutionEngine &engine, StringRef name, std::vector<void *> leading,
                 std::vector<Array> &arrays, void *result) {
  auto descriptors = descriptorsOf(arrays);
  std::vector<void *> pointers;
  for (auto &descriptor : descriptors)
    pointers.push_back(descriptor.data());
  for (void *&pointer : pointers)
    leading.push_back(&pointer);
  if (result)
    leading.push_back(result);
  llvm::cantFail(engine.invokePacked(name, leading));
}

int64_t Compiled::chunks(std::vector<Array> &arguments) {
  int64_t count = 0;
  call(*state->engine, "_mlir_ciface_k.chunks", {}, arguments, &count);
  return count;
}

void Compiled::run(std::vector<Array> &arguments, int64_t begin, int64_t end) {
  call(*state->engine, "_mlir_ciface_k", {&begin, &end}, arguments, nullptr);
}

void Compiled::run(std::vector<Array> &arguments) {
  if (state->isScheduled)
    return run(arguments, 0, chunks(arguments));
  // Results have buffers of their own, after the arguments.
  std::vector<Array> all = arguments;
  size_t first = arguments.size() - state->outputs;
  all.insert(all.end(), arguments.begin() + first, arguments.end());
  call(*state->engine, "_mlir_ciface_k", {}, all, nullptr);
  for (unsigned i = 0; i < state->outputs; ++i)
    arguments[first + i] = all[arguments.size() + i];
}

} // namespace formwork::testing
