// compileForCpp: the order of steps from planned kernels to files of C++.
//
// The tile form is the one that objects are made of. Everything in it is printed; an op that
// cannot be is an error, and no file is written.
#include "codegen/cpp/Cpp.h"

#include "codegen/cpp/HostPrinter.h"
#include "codegen/cpu/Passes.h"
#include "codegen/host/Object.h"
#include "codegen/kernel/Passes.h"
#include "codegen/source/Literals.h"
#include "codegen/source/Passes.h"
#include "ir/Rewriting.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;

namespace formwork {

static constexpr char vectorHeaderText[] =
#include "codegen/cpp/VectorHeader.inc"
    ;

StringRef vectorHeader() { return vectorHeaderText; }

namespace cpp {

using namespace source;

/// A file of more is hard to read and slow to compile.
static constexpr size_t largestFile = 200000;

namespace {
/// A function with external linkage if there are several files: declared in a header of theirs.
struct Function {
  std::string declaration, definition;
};

class ModulePrinter {
public:
  ModulePrinter(ModuleOp module, StringRef name, StringRef target);
  FailureOr<CppSource> print();

private:
  void nameSymbols();
  std::string printGlobal(memref::GlobalOp global, StringRef name);
  LogicalResult printKernels();
  LogicalResult printHosts();
  void printGlobals();
  std::string describeKernel(func::FuncOp kernel);
  std::vector<SourceFile> files();

  ModuleOp module;
  std::string name, target;
  std::vector<Entry> entries;
  StateLayout layout;
  CppLanguage language;
  /// Of the module, and of the module of kernels: each has names of its own.
  Symbols hostSymbols, kernelSymbols;
  Scope names;
  llvm::StringMap<Kernel> scheduled;
  std::string globals, mathematics, hosts, entryPoints;
  std::string launchers;
  std::vector<Function> kernels;
};
} // namespace

ModulePrinter::ModulePrinter(ModuleOp module, StringRef name, StringRef target)
    : module(module), name(name), target(target), entries(readEntries(module, name)),
      layout(module) {}

/// Identifiers for all functions and globals, other than what is there already.
void ModulePrinter::nameSymbols() {
  for (StringRef word : {"fw", "formwork", "context", "variables", "arena", "dims", "buffers",
                         "constants", "state", "mode", "main", "memcpy", "memset"})
    names.take(word);
  names.take(name);
  for (const Entry &entry : entries)
    for (const ConcreteEntry &concrete : entry.concretes) {
      names.take(concrete.symbol);
      names.take(concrete.arenaSymbol);
    }
  module.walk([&](Operation *op) {
    if (isa<func::FuncOp, memref::GlobalOp>(op)) {
      StringRef symbol = cast<SymbolOpInterface>(op).getName();
      bool isHosts = op->getParentOp() == module;
      (isHosts ? hostSymbols : kernelSymbols)[symbol] =
          names.unique(variableName(symbol.ltrim('_')));
    }
  });
}

//===--- constants -------------------------------------------------------------------------------

static std::string elementText(Attribute value) {
  if (auto number = dyn_cast<FloatAttr>(value))
    return floatLiteral(number.getValue()).text;
  APInt bits = cast<IntegerAttr>(value).getValue();
  return bits.getBitWidth() == 1 ? std::to_string(bits.getZExtValue())
                                 : integerLiteral(bits, /*isSigned=*/true).text;
}

std::string ModulePrinter::printGlobal(memref::GlobalOp global, StringRef name) {
  MemRefType type = global.getType();
  auto values = cast<DenseElementsAttr>(*global.getInitialValue());
  std::string text = "alignas(64) " + std::string(global.getConstant() ? "const " : "") +
                     language.elementType(type.getElementType()) + " " + name.str() + "[" +
                     std::to_string(std::max<int64_t>(type.getNumElements(), 1)) + "] = {";
  bool zeros = values.isSplat() && elementText(values.getSplatValue<Attribute>()) == "0.0f";
  zeros |= values.isSplat() && elementText(values.getSplatValue<Attribute>()) == "0";
  size_t column = text.size();
  if (!zeros)
    for (auto [i, value] : llvm::enumerate(values.getValues<Attribute>())) {
      std::string element = (i ? ", " : "") + elementText(value);
      if (column + element.size() > 98) {
        text += ",\n    ";
        element = elementText(value);
        column = 4;
      }
      text += element;
      column += element.size();
    }
  return text + "};\n";
}

//===--- kernels ---------------------------------------------------------------------------------

/// "image [?, 64]"
static std::string describeArgument(func::FuncOp kernel, unsigned i) {
  auto given = kernel.getArgAttrOfType<StringAttr>(i, "fw.name");
  std::string text = given ? given.str() : "argument" + std::to_string(i);
  auto type = dyn_cast<MemRefType>(kernel.getArgumentTypes()[i]);
  if (!type)
    return text;
  auto size = [](int64_t size) { return ShapedType::isDynamic(size) ? "?" : std::to_string(size); };
  return commentText(text).substr(0, 200) + " [" +
         llvm::join(llvm::map_range(type.getShape(), size), ", ") + "]";
}

std::string ModulePrinter::describeKernel(func::FuncOp kernel) {
  std::string text;
  llvm::raw_string_ostream os(text);
  FunctionPrinter printer(language, kernelSymbols, names, os);
  SmallVector<std::string> layers, reads, writes;
  if (auto given = kernel->getAttrOfType<ArrayAttr>("fw.layers"))
    for (auto layer : given.getAsRange<StringAttr>())
      layers.push_back(commentText(layer.getValue()).substr(0, 200));
  for (BlockArgument argument : kernel.getArguments().drop_front(2))
    (isa<MemRefType>(argument.getType()) && isWritten(argument) ? writes : reads)
        .push_back(describeArgument(kernel, argument.getArgNumber()));
  auto kind = kernel->getAttrOfType<StringAttr>("fw.kernel");
  printer.comment((layers.size() > 1 ? "Layers " : "Layer ") + llvm::join(layers, ", ") +
                  (kind ? ": " + kind.str() : "") + ", chunks [begin, end).");
  if (!reads.empty())
    printer.comment("  reads  " + llvm::join(reads, ", "));
  if (!writes.empty())
    printer.comment("  writes " + llvm::join(writes, ", "));
  return text;
}

LogicalResult ModulePrinter::printKernels() {
  LogicalResult result = success();
  for (auto nested : module.getOps<ModuleOp>())
    if (nested.getName() == "kernels")
      scheduled = findKernels(nested);
  for (auto nested : module.getOps<ModuleOp>())
    for (auto function : nested.getOps<func::FuncOp>()) {
      if (function.getName().ends_with(".chunks"))
        continue;
      std::string text;
      llvm::raw_string_ostream os(text);
      FunctionPrinter printer(language, kernelSymbols, names, os);
      bool isMath = function->hasAttr("fw.math");
      std::string returned =
          isMath ? language.type(function.getResultTypes().front(), false) : "void";
      std::string head = (isMath ? "FW_INLINE " : "FW_NOINLINE ") + returned + " " +
                         kernelSymbols[function.getName()];
      std::vector<bool> kept;
      if (failed(printer.print(function, head, isMath ? nullptr : &kept)))
        result = failure();
      if (isMath) {
        mathematics += text + "\n";
        continue;
      }
      scheduled[function.getName()].kept = kept;
      std::string declaration = text.substr(0, text.find(") {") + 1) + ";\n";
      kernels.push_back({declaration, describeKernel(function) + text + "\n"});
    }
  return result;
}

//===--- host ------------------------------------------------------------------------------------

LogicalResult ModulePrinter::printHosts() {
  LauncherPrinter launcher(language, kernelSymbols, names, scheduled);
  HostLanguage hostLanguage(launcher);
  HostPrinter printer(hostLanguage, hostSymbols, names, layout);
  llvm::raw_string_ostream hostStream(hosts), entryStream(entryPoints);
  LogicalResult result = success();
  for (const Entry &entry : entries)
    for (const ConcreteEntry &concrete : entry.concretes) {
      auto host = module.lookupSymbol<func::FuncOp>(concrete.function);
      auto size = module.lookupSymbol<func::FuncOp>(concrete.function + ".arena");
      if (failed(printer.printHost(host, hostStream)) ||
          failed(printer.printEntry(entry, concrete, size, entryStream)))
        result = failure();
    }
  launchers = launcher.text();
  return success(succeeded(result) && succeeded(launcher.result()));
}

//===--- files -----------------------------------------------------------------------------------

static std::string heading(StringRef title) {
  std::string line = ("// ---- " + title + " ").str();
  line.resize(100, '-');
  return line + "\n\n";
}

std::vector<SourceFile> ModulePrinter::files() {
  std::string about = "// " + name + ": printed by Formwork for " + commentText(target) +
                      ".\n// README.md says how to build and to call it.\n";
  std::string space = "formwork_" + name;
  std::string shared = globals.empty() ? "" : heading("Constants") + globals + "\n";
  if (!mathematics.empty())
    shared += heading("Mathematical functions") + mathematics;
  size_t size = 0;
  for (const Function &kernel : kernels)
    size += kernel.definition.size();
  std::vector<SourceFile> result;
  std::string host = heading("Launchers: chunks of kernels, on one thread or on many") + launchers +
                     heading("Host functions: what is run, and where in memory") + hosts;
  std::string includes = "#include \"" + name + ".h\"\n";
  if (size <= largestFile) {
    std::string text = about + includes + "#include \"formwork_vector.h\"\n\nnamespace {\n\n" +
                       shared + heading("Kernels");
    for (const Function &kernel : kernels)
      text += kernel.definition;
    text += host + "} // namespace\n\n" + heading("Entry points") + "extern \"C\" {\n\n" +
            entryPoints + "} // extern \"C\"\n";
    return {{name + ".cpp", text}};
  }
  std::string header = about + "#pragma once\n\n" + includes +
                       "#include \"formwork_vector.h\"\n\nnamespace " + space + " {\n\n" + shared +
                       heading("Kernels");
  std::string own = "#include \"" + name + "_kernels.h\"\n\n";
  std::string begin = about + own + "namespace " + space + " {\n\n", text = begin;
  int number = 1;
  auto finish = [&] {
    result.push_back({name + "_kernels_" + std::to_string(number++) + ".cpp",
                      text + "} // namespace " + space + "\n"});
    text = begin;
  };
  for (const Function &kernel : kernels) {
    header += kernel.declaration;
    if (text.size() > begin.size() && text.size() + kernel.definition.size() > largestFile)
      finish();
    text += kernel.definition;
  }
  finish();
  result.push_back({name + "_kernels.h", header + "\n} // namespace " + space + "\n"});
  result.push_back({name + ".cpp", about + own + "using namespace " + space +
                                       ";\n\nnamespace {\n\n" + host + "} // namespace\n\n" +
                                       heading("Entry points") + "extern \"C\" {\n\n" +
                                       entryPoints + "} // extern \"C\"\n"});
  return result;
}

/// Those that something printed reads: what has no elements may be nobody's, and compilers warn.
void ModulePrinter::printGlobals() {
  auto isRead = [&](StringRef name) {
    return hasWord(mathematics, name) || hasWord(hosts, name) || hasWord(launchers, name) ||
           llvm::any_of(kernels,
                        [&](const Function &kernel) { return hasWord(kernel.definition, name); });
  };
  module.walk([&](memref::GlobalOp global) {
    Symbols &symbols = global->getParentOp() == module ? hostSymbols : kernelSymbols;
    StringRef name = symbols[global.getName()];
    if (isRead(name))
      globals += printGlobal(global, name);
  });
}

FailureOr<CppSource> ModulePrinter::print() {
  nameSymbols();
  if (failed(printKernels()) || failed(printHosts()))
    return failure();
  printGlobals();
  return CppSource{files(), std::move(entries), target};
}

} // namespace cpp

FailureOr<CppSource> compileForCpp(ModuleOp module, const CPUOptions &options) {
  auto machine = makeTargetMachine(module.getLoc(), options.triple, options.cpu, options.features);
  if (failed(machine))
    return failure();
  CPUTarget target = scheduledFor(**machine);
  PassManager pipeline(module.getContext());
  pipeline.addPass(createCPUTile({target.vectorBytes, target.vectorRegisters, target.hasFMA}));
  // What is computed for nothing is not made a function of.
  pipeline.addPass(createCSEPass());
  pipeline.addPass(createNameBuffers());
  pipeline.addPass(createMarkDivisions());
  pipeline.addPass(createOutlineMath());
  pipeline.addPass(createExpandMath({target.hasFMA}));
  pipeline.addPass(createLowerAffinePass());
  pipeline.addPass(createStructuredCanonicalizer());
  pipeline.addPass(createCSEPass());
  if (failed(pipeline.run(module)))
    return failure();
  return cpp::ModulePrinter(module, exportedName(module, options), describe(**machine)).print();
}

} // namespace formwork
