// Rules for what CUDA C++ has beyond the core: the place of a thread, barriers, shuffles, shared
// memory; and CUDA's names for types and functions.
#include "codegen/cuda/Source.h"

#include "codegen/cuda/Passes.h"
#include "codegen/source/FunctionPrinter.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace formwork {

#define GEN_PASS_DEF_PRINTCUDA
#include "codegen/cuda/Passes.h.inc"

namespace cuda {

using Printer = source::FunctionPrinter;
using source::Expression;

static constexpr char helpers[] =
#include "codegen/cuda/formwork_cuda.inc"
    ;

//===--- the language ----------------------------------------------------------------------------

namespace {
class CUDALanguage : public source::Language {
public:
  /// `narrow`: sizes and indices fit 32 bits.
  explicit CUDALanguage(bool narrow);
  std::string type(Type type, bool isSigned) const override;
  std::string function(StringRef name, Type type) const override;
  std::string restricted() const override { return "__restrict__"; }
  std::string array(MemRefType type, StringRef name, std::optional<int64_t> alignment,
                    bool flat) const override;
  StringRef name() const override { return "CUDA C++"; }

private:
  bool narrow;
};
} // namespace

std::string CUDALanguage::type(Type type, bool isSigned) const {
  if (type.isIndex() && narrow)
    return isSigned ? "int" : "unsigned";
  return Language::type(type, isSigned);
}

std::string CUDALanguage::function(StringRef name, Type type) const {
  static const llvm::StringSet<> own = {"min",     "max",      "minimum",
                                        "maximum", "bit_cast", "multiply_high"};
  // CUDA's own fmax and fmin are those of numbers.
  if (name == "maximum_number" || name == "minimum_number")
    return Language::function(name == "maximum_number" ? "fmax" : "fmin", type);
  if (!own.contains(name))
    return Language::function(name, type);
  // Sizes and their literals are not always of one type.
  std::string of = type.isIndex() ? "<" + this->type(type, /*isSigned=*/true) + ">" : "";
  return ("fw_" + name).str() + of;
}

static bool isShared(MemRefType type) {
  auto space = dyn_cast_or_null<gpu::AddressSpaceAttr>(type.getMemorySpace());
  return space && space.getValue() == gpu::AddressSpace::Workgroup;
}

std::string CUDALanguage::array(MemRefType type, StringRef name, std::optional<int64_t> alignment,
                                bool flat) const {
  if (!isShared(type))
    return Language::array(type, name, {}, flat);
  std::string aligned = alignment ? "__align__(" + std::to_string(*alignment) + ") " : "";
  return "__shared__ " + aligned + Language::array(type, name, {}, flat);
}

//===--- rules -----------------------------------------------------------------------------------

static StringRef axisOf(gpu::Dimension dimension) { return stringifyDimension(dimension); }

/// A variable: CUDA's own is unsigned, and narrower than a size.
template <typename Op> static void addPlace(source::Language &language, StringRef noun) {
  std::string name = noun.str(), builtin = name + "Idx.";
  language.statement<Op>([=](Op op, Printer &printer) {
    Expression place{builtin + axisOf(op.getDimension()).str()};
    place.isSigned = true;
    printer.declare(op.getResult(), name, place);
  });
}

static StringRef shuffleName(gpu::ShuffleMode mode) {
  switch (mode) {
  case gpu::ShuffleMode::XOR:
    return "__shfl_xor_sync";
  case gpu::ShuffleMode::DOWN:
    return "__shfl_down_sync";
  case gpu::ShuffleMode::UP:
    return "__shfl_up_sync";
  case gpu::ShuffleMode::IDX:
    return "__shfl_sync";
  }
  llvm_unreachable("a mode");
}

/// All lanes of the warp take part.
static void printShuffle(gpu::ShuffleOp op, Printer &printer) {
  if (!op.getValid().use_empty())
    return printer.fail(op, "whether a lane was valid");
  printer.declare(op.getShuffleResult(), "other",
                  source::call(shuffleName(op.getMode()), {{"0xffffffffu"},
                                                           printer.use(op.getValue()),
                                                           printer.use(op.getOffset(), true),
                                                           printer.use(op.getWidth(), true)}));
}

/// The last argument: how many bytes are read; zeros are what is not.
static void printCopy(nvgpu::DeviceAsyncCopyOp op, Printer &printer) {
  Value read = op.getSrcElements();
  std::string bytes = "4";
  if (!op.getSrc().getType().getElementType().isF32() || op.getDstElements() != 1)
    return printer.fail(op, "an asynchronous copy of another size");
  if (read)
    bytes = source::product(printer.use(read), source::integer(4)).text;
  printer.line(source::call("fw_copy_async", {printer.address(op.getDst(), op.getDstIndices()),
                                              printer.address(op.getSrc(), op.getSrcIndices()),
                                              {bytes}})
                   .text +
               ";");
}

static void printWait(nvgpu::DeviceAsyncWaitOp op, Printer &printer) {
  printer.line("fw_wait_copies<" + std::to_string(op.getNumGroups().value_or(0)) + ">();");
}

CUDALanguage::CUDALanguage(bool narrow) : narrow(narrow) {
  addPlace<gpu::ThreadIdOp>(*this, "thread");
  addPlace<gpu::BlockIdOp>(*this, "block");
  statement<gpu::BarrierOp>(
      [](gpu::BarrierOp, Printer &printer) { printer.line("__syncthreads();"); });
  statement<gpu::ShuffleOp>(printShuffle);
  statement<nvgpu::DeviceAsyncCopyOp>(printCopy);
  statement<nvgpu::DeviceAsyncCreateGroupOp>([](nvgpu::DeviceAsyncCreateGroupOp, Printer &printer) {
    printer.line("fw_commit_copies();");
  });
  statement<nvgpu::DeviceAsyncWaitOp>(printWait);
}

//===--- files -----------------------------------------------------------------------------------

bool isKernel(func::FuncOp function) {
  return function->hasAttr(gpu::GPUDialect::getKernelFuncAttrName());
}

std::string kernelName(StringRef function) {
  // `_` stands for itself and, twice, for what no identifier may have.
  std::string name;
  for (char c : function)
    name += llvm::isAlnum(c) || c == '_' ? std::string(1, c)
                                         : "__" + llvm::utohexstr(uint8_t(c), /*LowerCase=*/true);
  return name.empty() || !llvm::isAlpha(name.front()) ? "k" + name : name;
}

static std::string shapeOf(Type type) {
  auto buffer = dyn_cast<MemRefType>(type);
  if (!buffer)
    return "";
  std::string text = "[";
  for (int64_t size : buffer.getShape())
    text += (text.size() > 1 ? ", " : "") +
            (ShapedType::isDynamic(size) ? std::string("?") : std::to_string(size));
  return text + "]";
}

/// What the kernel is for, as far as the model says.
static std::string describe(func::FuncOp function) {
  std::string text;
  llvm::raw_string_ostream out(text);
  if (auto layers = function->getAttrOfType<ArrayAttr>("fw.layers"))
    llvm::interleave(
        layers.getAsRange<StringAttr>(), out,
        [&](StringAttr layer) { out << source::commentText(layer.getValue()); }, ", ");
  if (auto kind = function->getAttrOfType<StringAttr>("fw.kernel"))
    out << (text.empty() ? "" : ": ") << source::commentText(kind.getValue());
  out << ";";
  for (Type type : function.getArgumentTypes())
    out << " " << shapeOf(type);
  return text;
}

FailureOr<std::string> printKernels(ModuleOp module) {
  const CUDALanguage wide(/*narrow=*/false), narrow(/*narrow=*/true);
  source::Symbols symbols;
  source::Scope names{"threadIdx", "blockIdx", "blockDim", "gridDim", "warpSize"};
  std::string text(helpers);
  llvm::raw_string_ostream out(text);
  bool failed = false;
  module.walk([&](func::FuncOp function) {
    if (function.isExternal())
      symbols[function.getName()] = function.getName();
  });
  module.walk([&](func::FuncOp function) {
    if (!isKernel(function))
      return;
    int64_t threads = function->getAttrOfType<IntegerAttr>("fw.threads").getInt();
    out << "\n// " << describe(function) << "\n";
    if (auto form = function->getAttrOfType<StringAttr>("fw.form"))
      out << "// " << source::commentText(form.getValue()) << "\n";
    source::FunctionPrinter printer(function->hasAttr("fw.narrow") ? narrow : wide, symbols, names,
                                    out);
    out << "extern \"C\" __global__ void __launch_bounds__(" << threads << ")\n";
    failed |= llvm::failed(printer.print(function, kernelName(function.getName())));
  });
  if (failed)
    return failure();
  return text;
}

} // namespace cuda

namespace {
struct PrintCUDA : impl::PrintCUDABase<PrintCUDA> {
  void runOnOperation() override {
    FailureOr<std::string> text = cuda::printKernels(getOperation());
    if (failed(text))
      return signalPassFailure();
    llvm::outs() << *text;
  }
};
} // namespace

} // namespace formwork
