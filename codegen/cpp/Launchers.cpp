// What codegen/host/LowerLaunches.cpp does in LLVM's dialect, in C++: the same chunks, the same
// threshold, the same runs.
#include "codegen/cpp/Launchers.h"

#include "codegen/host/Passes.h"

#include "mlir/IR/Matchers.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace formwork::cpp {

using namespace source;

//===--- kernels ---------------------------------------------------------------------------------

int64_t Kernel::workPerChunk() const {
  func::FuncOp kernel = run;
  auto work = kernel->getAttrOfType<IntegerAttr>("fw.chunk_work");
  return work ? std::max<int64_t>(work.getInt(), 1) : 1;
}

std::optional<int64_t> Kernel::constantChunks() const {
  if (!chunks)
    return 1;
  func::FuncOp counter = chunks;
  APInt count;
  if (matchPattern(counter.front().getTerminator()->getOperand(0), m_ConstantInt(&count)))
    return count.getSExtValue();
  return std::nullopt;
}

llvm::StringMap<Kernel> findKernels(ModuleOp nested) {
  constexpr StringRef suffix = ".chunks";
  llvm::StringMap<Kernel> kernels;
  for (auto function : nested.getOps<func::FuncOp>()) {
    StringRef name = function.getName();
    if (name.ends_with(suffix))
      kernels[name.drop_back(suffix.size())].chunks = function;
    else
      kernels[name].run = function;
  }
  return kernels;
}

//===--- launchers -------------------------------------------------------------------------------

LauncherPrinter::LauncherPrinter(const Language &language, const Symbols &symbols, Scope &names,
                                 llvm::StringMap<Kernel> kernels)
    : language(language), symbols(symbols), names(names), kernels(std::move(kernels)) {}

static int64_t threshold() { return LowerLaunchesOptions().threshold; }

/// Whether there are sizes for which the chunks are handed out.
bool LauncherPrinter::Launcher::splits() const {
  int64_t total = 0, work = 0;
  bool known = true;
  for (const Kernel &kernel : kernels) {
    if (!kernel.chunks)
      return false;
    auto count = kernel.constantChunks();
    known &= count.has_value();
    total += count.value_or(0);
    work += count.value_or(0) * kernel.workPerChunk();
  }
  return !known || (total >= 2 && work >= threshold());
}

LauncherPrinter::Launcher &LauncherPrinter::launcherOf(ArrayRef<LaunchOp> launches) {
  std::string key;
  for (LaunchOp launch : launches)
    key += (launch.getKernelName() + " ").str();
  auto [place, isNew] = launchers.try_emplace(key);
  Launcher &launcher = place->second;
  if (!isNew)
    return launcher;
  for (LaunchOp launch : launches)
    launcher.kernels.push_back(kernels.lookup(launch.getKernelName()));
  StringRef first = symbols.find(LaunchOp(launches.front()).getKernelName())->second;
  bool constant = llvm::all_of(
      launcher.kernels, [](const Kernel &kernel) { return kernel.constantChunks().has_value(); });
  // Where all is known and nothing to hand out, its kernels are called as they are.
  if (launcher.splits() || !constant) {
    launcher.name =
        names.unique((first + (launches.size() > 1 ? "_and_others" : "") + "_launch").str());
    print(launcher);
  }
  return launcher;
}

/// What a kernel takes after its range of chunks.
SmallVector<Expression> LauncherPrinter::arguments(LaunchOp launch, const Kernel &kernel,
                                                   FunctionPrinter &printer) {
  func::FuncOp function = kernel.run;
  return printer.arguments(launch.getOperands(), function.getArgumentTypes().drop_front(2));
}

bool LauncherPrinter::takes(OpOperand &operand) const {
  Kernel kernel = kernels.lookup(cast<LaunchOp>(operand.getOwner()).getKernelName());
  size_t parameter = 2;
  for (unsigned i = 0; i < operand.getOperandNumber(); ++i) {
    ++parameter;
    if (auto type = dyn_cast<MemRefType>(kernel.run.getArgumentTypes()[2 + i])) {
      DynamicShape dynamic(type);
      parameter += dynamic.sizes.size() + dynamic.strides.size();
    }
  }
  return kernel.kept[parameter];
}

void LauncherPrinter::call(ArrayRef<LaunchOp> launches, FunctionPrinter &printer) {
  const Launcher &launcher = launcherOf(launches);
  if (!launcher.name.empty()) {
    SmallVector<Expression> given, all{{"context"}};
    for (auto [launch, kernel] : llvm::zip_equal(launches, launcher.kernels))
      llvm::append_range(given, arguments(launch, kernel, printer));
    for (auto [argument, isKept] : llvm::zip_equal(given, launcher.kept))
      if (isKept)
        all.push_back(argument);
    return printer.line(source::call(launcher.name, all).text + ";");
  }
  for (auto [given, kernel] : llvm::zip_equal(launches, launcher.kernels)) {
    LaunchOp launch = given;
    SmallVector<Expression> all{integer(0), integer(*kernel.constantChunks())};
    llvm::append_range(all, arguments(launch, kernel, printer));
    SmallVector<Expression> needed;
    for (auto [argument, isKept] : llvm::zip_equal(all, kernel.kept))
      if (isKept)
        needed.push_back(argument);
    StringRef name = symbols.find(launch.getKernelName())->second;
    printer.line(source::call(name, needed).text + ";");
  }
}

//===--- one launcher ----------------------------------------------------------------------------

namespace {
/// A kernel within a launcher: its parameters there, and how many chunks it has.
struct Part {
  std::string name;
  SmallVector<std::string> declarations, names;
  /// Which of its parameters, begin and end included, the kernel has.
  std::vector<bool> kept;
  Expression count;
  int64_t work;
};

/// The text of a launcher, and of its task if it hands out chunks.
class LauncherText {
public:
  LauncherText(StringRef name, std::vector<Part> parts, std::string counting, bool splits);

  void print(FunctionPrinter &out, raw_ostream &os);
  /// Of all parameters of all kernels: which the launcher has.
  std::vector<bool> kept;

private:
  void chooseParameters(StringRef counting);
  void printArguments(raw_ostream &os);
  void printTask(FunctionPrinter &out, raw_ostream &os);
  void printSplit(FunctionPrinter &out);
  static std::string call(const Part &part, StringRef begin, StringRef end, StringRef prefix);

  std::string name;
  std::vector<Part> parts;
  /// Statements that compute how many chunks there are.
  std::string counting;
  bool splits;
  SmallVector<std::string> declarations;
  Expression total = integer(0), work = integer(0);
};
} // namespace

static std::string nameOfParameter(StringRef declaration) {
  return declaration.substr(declaration.find_last_of(" *&") + 1).str();
}

LauncherText::LauncherText(StringRef name, std::vector<Part> parts, std::string counting,
                           bool splits)
    : name(name), parts(std::move(parts)), counting(std::move(counting)), splits(splits) {
  for (const Part &part : this->parts) {
    total = sum(total, part.count);
    work = sum(work, product(part.count, integer(part.work)));
  }
  chooseParameters(this->counting);
}

/// Those that a kernel has, or that say how many chunks there are.
void LauncherText::chooseParameters(StringRef counting) {
  for (const Part &part : parts)
    for (auto [i, declaration] : llvm::enumerate(part.declarations)) {
      bool isNeeded = part.kept[i + 2] || hasWord(counting, part.names[i]);
      kept.push_back(isNeeded);
      if (isNeeded)
        declarations.push_back(declaration);
    }
}

/// `name(begin, end, arguments);`
std::string LauncherText::call(const Part &part, StringRef begin, StringRef end, StringRef prefix) {
  SmallVector<std::string> all{begin.str(), end.str()}, needed;
  for (const std::string &name : part.names)
    all.push_back(prefix.str() + name);
  for (auto [argument, isKept] : llvm::zip_equal(all, part.kept))
    if (isKept)
      needed.push_back(argument);
  return part.name + "(" + llvm::join(needed, ", ") + ");";
}

/// What tasks are handed: the launcher's arguments, and numbers of chunks.
void LauncherText::printArguments(raw_ostream &os) {
  os << "struct " << name << "_arguments {\n";
  for (StringRef declaration : declarations) {
    auto [before, after] = declaration.split("__restrict ");
    os << "  " << before << after << ";\n";
  }
  for (const Part &part : parts)
    if (!part.count.constant)
      os << "  int64_t " << part.count.text << ";\n";
  os << "};\n\n";
}

/// Runs on any thread a range of chunks, those of each kernel numbered after those of the one
/// before.
void LauncherText::printTask(FunctionPrinter &out, raw_ostream &os) {
  os << "void " << name << "_task(void *closure, int64_t begin, int64_t end) {\n";
  out.indent();
  out.line("const auto *task = static_cast<const " + name + "_arguments *>(closure);");
  out.line("const fw::flush_denormals mode;");
  Expression first = integer(0);
  for (const Part &part : parts) {
    Expression count = part.count;
    if (!count.constant)
      count.text = "task->" + count.text;
    auto clamped = [&](StringRef bound) {
      return source::call("fw::within", {{bound.str()}, first, count}).text;
    };
    bool only = parts.size() == 1;
    out.line(
        call(part, only ? "begin" : clamped("begin"), only ? "end" : clamped("end"), "task->"));
    first = sum(first, count);
  }
  out.dedent();
  os << "}\n\n";
}

/// Hands out the chunks if there are threads, several chunks and enough work.
void LauncherText::printSplit(FunctionPrinter &out) {
  auto atLeast = [](const Expression &value, int64_t least) {
    return value.constant
               ? ""
               : " && " + within(value, Precedence::Additive) + " >= " + std::to_string(least);
  };
  SmallVector<std::string> given;
  for (const std::string &declaration : declarations)
    given.push_back(nameOfParameter(declaration));
  for (const Part &part : parts)
    if (!part.count.constant)
      given.push_back(part.count.text);
  out.enter();
  out.open("if (context && context->parallel_for" + atLeast(total, 2) + atLeast(work, threshold()) +
           ")");
  out.line(name + "_arguments task = {" + llvm::join(given, ", ") + "};");
  out.line("context->parallel_for(context->pool, " + total.text + ", " + name + "_task, &task);");
  out.reopen("} else {");
}

void LauncherText::print(FunctionPrinter &out, raw_ostream &os) {
  if (splits) {
    printArguments(os);
    printTask(out, os);
  }
  SmallVector<std::string> all{splits ? "const formwork_context *context"
                                      : "const formwork_context * /*context*/"};
  llvm::append_range(all, declarations);
  out.line("void " + name + "(" + llvm::join(all, ", ") + ") {");
  os << counting;
  out.indent();
  if (splits)
    printSplit(out);
  for (const Part &part : parts)
    out.line(call(part, "0", part.count.text, ""));
  if (splits)
    out.close();
  out.dedent();
  os << "}\n\n";
}

/// Prints what counts a kernel's chunks to `printer`, which knows the kernel's arguments.
static Expression countChunks(Kernel &kernel, StringRef name, FunctionPrinter &printer) {
  if (!kernel.chunks)
    return integer(1);
  for (auto [own, given] :
       llvm::zip_equal(kernel.chunks.getArguments(), kernel.run.getArguments().drop_front(2)))
    if (isa<MemRefType>(own.getType()))
      printer.bindBuffer(own, Buffer(printer.buffer(given)));
    else
      printer.bind(own, printer.use(given));
  printer.statements(kernel.chunks.front());
  Expression count = printer.use(kernel.chunks.front().getTerminator()->getOperand(0));
  if (count.constant)
    return count;
  std::string variable = printer.unique(name);
  printer.line("const int64_t " + variable + " = " + count.text + ";");
  return {variable, Precedence::Primary, true};
}

void LauncherPrinter::print(Launcher &launcher) {
  Scope scope(&names);
  for (StringRef name : {"context", "task", "closure", "begin", "end", "mode"})
    scope.take(name);
  std::string counting;
  llvm::raw_string_ostream countingStream(counting);
  FunctionPrinter printer(language, symbols, scope, countingStream);
  printer.indent();
  std::vector<Part> parts;
  for (Kernel &kernel : launcher.kernels) {
    Part part;
    part.name = symbols.find(kernel.run.getName())->second;
    part.work = kernel.workPerChunk();
    part.kept = kernel.kept;
    part.declarations = printer.parameters(kernel.run, 2);
    for (const std::string &declaration : part.declarations)
      part.names.push_back(nameOfParameter(declaration));
    bool only = launcher.kernels.size() == 1;
    part.count = countChunks(kernel, only ? "chunks" : part.name + "_chunks", printer);
    parts.push_back(std::move(part));
  }
  failed |= printer.result().failed();
  LauncherText text(launcher.name, std::move(parts), std::move(counting), launcher.splits());
  llvm::raw_string_ostream os(definitions);
  FunctionPrinter out(language, symbols, scope, os);
  text.print(out, os);
  launcher.kept = std::move(text.kept);
}

} // namespace formwork::cpp
