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

void LauncherPrinter::call(ArrayRef<LaunchOp> launches, FunctionPrinter &printer) {
  const Launcher &launcher = launcherOf(launches);
  if (!launcher.name.empty()) {
    SmallVector<Expression> all{{"context"}};
    for (auto [launch, kernel] : llvm::zip_equal(launches, launcher.kernels))
      llvm::append_range(all, arguments(launch, kernel, printer));
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

namespace {
/// A kernel within a launcher: its parameters there, and how many chunks it has.
struct Part {
  std::string name;
  SmallVector<std::string> declarations, names;
  std::vector<bool> kept;
  Expression count;
  int64_t work;
};
} // namespace

static std::string nameOfParameter(StringRef declaration) {
  return declaration.substr(declaration.find_last_of(" *&") + 1).str();
}

/// `name(begin, end, arguments);`
static std::string callOf(const Part &part, StringRef begin, StringRef end, StringRef prefix) {
  SmallVector<std::string> all{begin.str(), end.str()}, needed;
  for (const std::string &name : part.names)
    all.push_back(prefix.str() + name);
  for (auto [argument, isKept] : llvm::zip_equal(all, part.kept))
    if (isKept)
      needed.push_back(argument);
  return part.name + "(" + llvm::join(needed, ", ") + ");";
}

void LauncherPrinter::print(Launcher &launcher) {
  llvm::raw_string_ostream os(definitions);
  Scope scope(&names);
  for (StringRef name : {"context", "task", "chunks", "begin", "end", "mode"})
    scope.take(name);
  // What parameters are called is known only once their kernels' are.
  std::vector<Part> parts;
  std::string counting;
  llvm::raw_string_ostream countingStream(counting);
  FunctionPrinter printer(language, symbols, scope, countingStream);
  printer.indent();
  for (Kernel &kernel : launcher.kernels) {
    Part part;
    part.name = symbols.find(kernel.run.getName())->second;
    part.work = kernel.workPerChunk();
    part.kept = kernel.kept;
    part.declarations = printer.parameters(kernel.run, 2);
    for (const std::string &declaration : part.declarations)
      part.names.push_back(nameOfParameter(declaration));
    if (kernel.chunks) {
      for (auto [own, given] :
           llvm::zip_equal(kernel.chunks.getArguments(), kernel.run.getArguments().drop_front(2)))
        if (isa<MemRefType>(own.getType()))
          printer.bindBuffer(own, Buffer(printer.buffer(given)));
        else
          printer.bind(own, printer.use(given));
      printer.statements(kernel.chunks.front());
      part.count = printer.use(kernel.chunks.front().getTerminator()->getOperand(0));
    } else {
      part.count = integer(1);
    }
    if (!part.count.constant) {
      std::string name =
          printer.unique(launcher.kernels.size() > 1 ? part.name + "_chunks" : "count");
      printer.line("const int64_t " + name + " = " + part.count.text + ";");
      part.count = {name, Precedence::Primary, true};
    }
    parts.push_back(std::move(part));
  }
  failed |= printer.result().failed();

  SmallVector<std::string> declarations{"const formwork_context *context"};
  SmallVector<std::string> given;
  std::string members;
  Expression total = integer(0), work = integer(0);
  for (const Part &part : parts) {
    llvm::append_range(declarations, part.declarations);
    llvm::append_range(given, part.names);
    for (const std::string &declaration : part.declarations) {
      std::string member = declaration;
      if (size_t at = member.find("__restrict "); at != std::string::npos)
        member.erase(at, strlen("__restrict "));
      members += "  " + member + ";\n";
    }
    if (!part.count.constant) {
      members += "  int64_t " + part.count.text + ";\n";
      given.push_back(part.count.text);
    }
    total = sum(total, part.count);
    work = sum(work, product(part.count, integer(part.work)));
  }

  FunctionPrinter out(language, symbols, scope, os);
  bool splits = launcher.splits();
  std::string task = launcher.name + "_task";
  if (splits) {
    os << "struct " << launcher.name << "_arguments {\n" << members << "};\n\n";
    os << "void " << task << "(void *closure, int64_t begin, int64_t end) {\n";
    out.indent();
    out.line("const auto *task = static_cast<const " + launcher.name + "_arguments *>(closure);");
    out.line("const fw::flush_denormals mode;");
    Expression first = integer(0);
    for (const Part &part : parts) {
      std::string count = part.count.constant ? part.count.text : "task->" + part.count.text;
      Expression countHere{count, Precedence::Primary, true, part.count.constant};
      auto clamped = [&](StringRef bound) {
        return "fw::within(" + bound.str() + ", " + first.text + ", " + count + ")";
      };
      if (parts.size() == 1)
        out.line(callOf(part, "begin", "end", "task->"));
      else
        out.line(callOf(part, clamped("begin"), clamped("end"), "task->"));
      first = sum(first, countHere);
    }
    os << "}\n\n";
    out.dedent();
  }
  out.line("void " + launcher.name + "(" + llvm::join(declarations, ", ") + ") {");
  os << counting;
  out.indent();
  if (splits) {
    std::string enough = work.constant ? ""
                                       : " && " + within(work, Precedence::Additive) +
                                             " >= " + std::to_string(threshold());
    std::string several =
        total.constant ? "" : " && " + within(total, Precedence::Additive) + " >= 2";
    out.enter();
    out.open("if (context && context->parallel_for" + several + enough + ")");
    out.line(launcher.name + "_arguments task = {" + llvm::join(given, ", ") + "};");
    out.line("context->parallel_for(context->pool, " + total.text + ", " + task + ", &task);");
    out.reopen("} else {");
  } else {
    out.line("(void)context;");
  }
  for (const Part &part : parts)
    out.line(callOf(part, "0", part.count.text, ""));
  if (splits)
    out.close();
  os << "}\n\n";
}

} // namespace formwork::cpp
