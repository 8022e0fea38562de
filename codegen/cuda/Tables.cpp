// Writes the tables with LLVM's constants; sizes are asserted against the interface.
#include "codegen/cuda/Tables.h"

#include "codegen/StateLayout.h"
#include "runtime/cuda/interface.h"

#include "llvm/IR/Constants.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace formwork::cuda {

namespace {
class Writer {
public:
  explicit Writer(Module &module) : module(module), context(module.getContext()) {}
  void write(const CodeTables &tables);

private:
  Constant *i32(int64_t value) { return ConstantInt::getSigned(Type::getInt32Ty(context), value); }
  Constant *i64(int64_t value) { return ConstantInt::getSigned(Type::getInt64Ty(context), value); }
  Constant *null() { return ConstantPointerNull::get(PointerType::get(context, 0)); }
  Constant *row(ArrayRef<Constant *> fields) { return ConstantStruct::getAnon(context, fields); }
  GlobalVariable *global(Constant *value, const Twine &name) {
    return new GlobalVariable(module, value->getType(), /*isConstant=*/true,
                              GlobalValue::PrivateLinkage, value, name);
  }
  Constant *bytes(StringRef content, bool terminated, const Twine &name);
  Constant *sizes(ArrayRef<int64_t> values);
  Constant *table(ArrayRef<Constant *> rows, size_t rowSize, const Twine &name);
  void define(StringRef name, Constant *value, size_t size);

  Constant *image(const Image &image);
  Constant *buffer(const EntryBuffer &buffer);
  void writeProgram(const ProgramTable &program);

  Module &module;
  LLVMContext &context;
};
} // namespace

Constant *Writer::bytes(StringRef content, bool terminated, const Twine &name) {
  if (content.empty())
    return null();
  // As a string, which the assembler copies instead of going through it element by element.
  GlobalVariable *written =
      global(ConstantDataArray::getString(context, content, terminated), name);
  written->setAlignment(Align(64));
  return written;
}

Constant *Writer::sizes(ArrayRef<int64_t> values) {
  if (values.empty())
    return null();
  SmallVector<uint64_t> words(values.begin(), values.end());
  return global(ConstantDataArray::get(context, words), "sizes");
}

Constant *Writer::table(ArrayRef<Constant *> rows, [[maybe_unused]] size_t rowSize,
                        const Twine &name) {
  if (rows.empty())
    return null();
  Type *type = rows.front()->getType();
  assert(module.getDataLayout().getTypeAllocSize(type) == rowSize && "not as in interface.h");
  return global(ConstantArray::get(ArrayType::get(type, rows.size()), rows), name);
}

/// Visible to the model's other objects, not outside what they are linked into.
void Writer::define(StringRef name, Constant *value, [[maybe_unused]] size_t size) {
  assert(module.getDataLayout().getTypeAllocSize(value->getType()) == size);
  auto *written = global(value, name);
  written->setLinkage(GlobalValue::ExternalLinkage);
  written->setVisibility(GlobalValue::HiddenVisibility);
}

Constant *Writer::image(const Image &image) {
  int kind = image.isPTX   ? FORMWORK_CUDA_PTX
             : image.exact ? FORMWORK_CUDA_EXACT_CUBIN
                           : FORMWORK_CUDA_CUBIN;
  StringRef content(image.data.data(), image.data.size());
  return row({i32(image.capability), i32(kind), bytes(content, false, "image"),
              i64(int64_t(content.size()))});
}

Constant *Writer::buffer(const EntryBuffer &buffer) {
  return row({sizes(buffer.shape), i32(int64_t(buffer.shape.size())),
              i32(elementBytes(buffer.element)), i32(buffer.written), i32(0)});
}

void Writer::writeProgram(const ProgramTable &program) {
  SmallVector<Constant *> buffers;
  for (const EntryBuffer &declared : program.buffers)
    buffers.push_back(buffer(declared));
  auto *type = FunctionType::get(Type::getVoidTy(context), false); // only its address is used
  auto *body =
      cast<Function>(module.getOrInsertFunction(program.symbol + "__body", type).getCallee());
  body->setVisibility(GlobalValue::HiddenVisibility);
  define(program.symbol + "__program",
         row({body, table(buffers, sizeof(formwork_cuda_buffer), "buffers"),
              i32(int64_t(buffers.size())), i32(program.dimCount), i32(program.straight), i32(0)}),
         sizeof(formwork_cuda_program));
}

void Writer::write(const CodeTables &tables) {
  SmallVector<Constant *> images, kernels;
  for (const Image &compiled : tables.images)
    images.push_back(image(compiled));
  for (const KernelEntry &kernel : tables.kernels)
    kernels.push_back(row({bytes(kernel.symbol, true, "name"), i32(kernel.threads), i32(0)}));
  for (const ProgramTable &program : tables.programs)
    writeProgram(program);
  define(tables.symbol,
         row({table(images, sizeof(formwork_cuda_image), "images"),
              table(kernels, sizeof(formwork_cuda_kernel), "kernels"), i32(int64_t(images.size())),
              i32(int64_t(kernels.size())), bytes(tables.literals, false, "literals"),
              i64(int64_t(tables.literals.size()))}),
         sizeof(formwork_cuda_code));
}

SmallVector<char, 0> emitTables(const CodeTables &tables, TargetMachine &machine) {
  LLVMContext context;
  Module module(tables.symbol, context);
  module.setTargetTriple(machine.getTargetTriple());
  module.setDataLayout(machine.createDataLayout());
  Writer(module).write(tables);
  assert(!verifyModule(module, &errs()) && "wrote invalid tables");
  SmallVector<char, 0> object;
  raw_svector_ostream stream(object);
  legacy::PassManager passes;
  if (!machine.addPassesToEmitFile(passes, stream, nullptr, CodeGenFileType::ObjectFile))
    passes.run(module);
  return object;
}

} // namespace formwork::cuda
