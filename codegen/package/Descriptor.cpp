// Writes the descriptor with LLVM's constants: one array per table, one private string per name.
//
// The order of fields is that of runtime/formwork.h; sizes are asserted against it.
#include "codegen/package/Descriptor.h"

#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

using namespace llvm;

namespace formwork::package {

static std::unique_ptr<TargetMachine> machineFor(const Triple &triple) {
  static const bool initialized = !InitializeNativeTarget() && !InitializeNativeTargetAsmPrinter();
  (void)initialized;
  std::string error;
  const Target *target = TargetRegistry::lookupTarget(triple, error);
  if (!target)
    report_fatal_error(Twine(error));
  return std::unique_ptr<TargetMachine>(
      target->createTargetMachine(triple, /*CPU=*/"", /*Features=*/"", {}, Reloc::PIC_));
}

static SmallVector<char, 0> emitObject(Module &module, TargetMachine &machine) {
  assert(!verifyModule(module, &errs()) && "wrote an invalid descriptor");
  SmallVector<char, 0> object;
  raw_svector_ostream stream(object);
  legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr, CodeGenFileType::ObjectFile))
    report_fatal_error("this target writes no object files");
  passes.run(module);
  return object;
}

namespace {
/// Builds the tables bottom up: a row may point to what was written before it.
class Writer {
public:
  Writer(const Description &description, Module &module)
      : description(description), module(module), context(module.getContext()) {}

  void write();

private:
  Constant *i32(int64_t value) { return ConstantInt::getSigned(Type::getInt32Ty(context), value); }
  Constant *i64(int64_t value) { return ConstantInt::getSigned(Type::getInt64Ty(context), value); }
  Constant *null() { return ConstantPointerNull::get(PointerType::get(context, 0)); }
  Constant *row(ArrayRef<Constant *> fields) { return ConstantStruct::getAnon(context, fields); }

  GlobalVariable *global(Constant *value, GlobalValue::LinkageTypes linkage, const Twine &name);
  Constant *string(StringRef text);
  Constant *stringOrNull(StringRef text) { return text.empty() ? null() : string(text); }
  Constant *sizes(ArrayRef<int64_t> values);
  Constant *table(ArrayRef<Constant *> rows, size_t rowSize, const Twine &name);
  Constant *blob(ArrayRef<char> bytes, StringRef name);
  Constant *function(StringRef symbol);

  Constant *tensor(const Tensor &tensor);
  Constant *concrete(const Concrete &concrete);
  Constant *entry(const Entry &entry);
  Constant *variable(const Variable &variable);
  Constant *accelerator(const Accelerator &accelerator);
  Constant *model();

  const Description &description;
  Module &module;
  LLVMContext &context;
  StringMap<Constant *> strings;
};
} // namespace

GlobalVariable *Writer::global(Constant *value, GlobalValue::LinkageTypes linkage,
                               const Twine &name) {
  return new GlobalVariable(module, value->getType(), /*isConstant=*/true, linkage, value, name);
}

Constant *Writer::string(StringRef text) {
  Constant *&known = strings[text];
  if (!known) {
    auto *written =
        global(ConstantDataArray::getString(context, text), GlobalValue::PrivateLinkage, "string");
    written->setUnnamedAddr(GlobalValue::UnnamedAddr::Global);
    known = written;
  }
  return known;
}

Constant *Writer::sizes(ArrayRef<int64_t> values) {
  if (values.empty())
    return null();
  SmallVector<uint64_t> words(values.begin(), values.end());
  return global(ConstantDataArray::get(context, words), GlobalValue::PrivateLinkage, "sizes");
}

Constant *Writer::table(ArrayRef<Constant *> rows, [[maybe_unused]] size_t rowSize,
                        const Twine &name) {
  if (rows.empty())
    return null();
  Type *type = rows.front()->getType();
  assert(module.getDataLayout().getTypeAllocSize(type) == rowSize && "not as in formwork.h");
  return global(ConstantArray::get(ArrayType::get(type, rows.size()), rows),
                GlobalValue::PrivateLinkage, name);
}

Constant *Writer::blob(ArrayRef<char> bytes, StringRef name) {
  if (bytes.empty())
    return null();
  // As a string, which the assembler copies instead of going through it element by element.
  Constant *value =
      ConstantDataArray::getString(context, StringRef(bytes.data(), bytes.size()), false);
  auto *written = global(value, GlobalValue::ExternalLinkage, description.name + "_" + name.str());
  written->setAlignment(Align(64));
  return written;
}

Constant *Writer::function(StringRef symbol) {
  // Only the address is used, so any function type will do.
  auto *type = FunctionType::get(Type::getVoidTy(context), false);
  return cast<Constant>(module.getOrInsertFunction(symbol, type).getCallee());
}

Constant *Writer::tensor(const Tensor &tensor) {
  return row({string(tensor.name), i32(tensor.role), i32(tensor.dtype), i32(tensor.shape.size()),
              i32(0), sizes(tensor.shape), i64(tensor.limit)});
}

Constant *Writer::concrete(const Concrete &concrete) {
  return row({concrete.dims ? sizes(*concrete.dims) : null(), function(concrete.run),
              function(concrete.arenaSize)});
}

Constant *Writer::entry(const Entry &entry) {
  SmallVector<Constant *> buffers, concretes;
  for (const Tensor &buffer : entry.buffers)
    buffers.push_back(tensor(buffer));
  for (const Concrete &compiled : entry.concretes)
    concretes.push_back(concrete(compiled));
  return row({string(entry.name), i32(buffers.size()), i32(entry.dims.size()),
              table(buffers, sizeof(formwork_tensor), "buffers"), i32(concretes.size()), i32(0),
              table(concretes, sizeof(formwork_concrete), "concretes")});
}

Constant *Writer::variable(const Variable &variable) {
  return row({string(variable.name), stringOrNull(variable.path), i32(variable.role),
              i32(variable.dtype), i32(variable.shape.size()), i32(variable.trainable),
              sizes(variable.shape), i64(variable.offset), i64(variable.panel),
              stringOrNull(variable.slotOf)});
}

Constant *Writer::accelerator(const Accelerator &accelerator) {
  auto hidden = [](Constant *symbol) {
    cast<GlobalValue>(symbol)->setVisibility(GlobalValue::HiddenVisibility);
    return symbol;
  };
  SmallVector<Constant *> fields = {
      string(accelerator.name), i32(accelerator.hasHostCode), i32(0),
      hidden(cast<Constant>(module.getOrInsertGlobal(accelerator.code, Type::getInt8Ty(context))))};
  for (StringRef member :
       {"open", "close", "message", "allocate", "release", "upload", "download", "synchronize"})
    fields.push_back(hidden(function(accelerator.runtime + "_" + member.str())));
  return table(row(fields), sizeof(formwork_accelerator), "accelerator");
}

Constant *Writer::model() {
  SmallVector<Constant *> variables, entries;
  for (const Variable &declared : description.variables)
    variables.push_back(variable(declared));
  for (const Entry &compiled : description.entries)
    entries.push_back(entry(compiled));
  return row({i32(FORMWORK_ABI), i32(sizeof(formwork_model)), string(description.name),
              string(description.target), stringOrNull(description.config),
              stringOrNull(description.compileConfig), i64(description.stateSize),
              i64(description.constantsSize), blob(description.constants, "constants"),
              blob(description.initialState, "initial_state"), i32(variables.size()),
              i32(entries.size()), table(variables, sizeof(formwork_variable), "variables"),
              table(entries, sizeof(formwork_entry), "entries"),
              description.accelerator ? accelerator(*description.accelerator) : null()});
}

/// Defines `name`, a function that returns; `body` writes what.
static Function *defineFunction(Module &module, const Twine &name, FunctionType *type,
                                function_ref<Value *(IRBuilder<> &, Function *)> body) {
  auto *function = Function::Create(type, GlobalValue::ExternalLinkage, name, module);
  IRBuilder<> builder(BasicBlock::Create(module.getContext(), "", function));
  builder.CreateRet(body(builder, function));
  return function;
}

void Writer::write() {
  Constant *value = model();
  assert(module.getDataLayout().getTypeAllocSize(value->getType()) == sizeof(formwork_model));
  auto *written = global(value, GlobalValue::PrivateLinkage, "model");
  defineFunction(module, description.name + "_model",
                 FunctionType::get(PointerType::get(context, 0), false),
                 [&](IRBuilder<> &, Function *) { return written; })
      ->setDoesNotThrow();
}

SmallVector<char, 0> emitDescriptor(const Description &description, const Triple &triple) {
  LLVMContext context;
  Module module(description.name, context);
  auto machine = machineFor(triple);
  module.setTargetTriple(triple);
  module.setDataLayout(machine->createDataLayout());
  Writer(description, module).write();
  return emitObject(module, *machine);
}

SmallVector<char, 0> emitMain(StringRef name, const Triple &triple) {
  LLVMContext context;
  Module module("main", context);
  auto machine = machineFor(triple);
  module.setTargetTriple(triple);
  module.setDataLayout(machine->createDataLayout());
  auto *i32 = Type::getInt32Ty(context);
  auto *pointer = PointerType::get(context, 0);
  auto run = module.getOrInsertFunction("formwork_main", i32, i32, pointer, pointer);
  auto model = module.getOrInsertFunction((name + "_model").str(), pointer);
  defineFunction(module, "main", FunctionType::get(i32, {i32, pointer}, false),
                 [&](IRBuilder<> &builder, Function *main) -> Value * {
                   return builder.CreateCall(
                       run, {main->getArg(0), main->getArg(1), builder.CreateCall(model)});
                 });
  return emitObject(module, *machine);
}

} // namespace formwork::package
