// What codegen/host/EntryPoints.cpp does in LLVM's dialect, in C++.
//
// A host function takes what its entry point is given, and finds in it what it needs: sizes in
// dims, inputs and outputs in buffers, variables at their offsets, parts of the arena at theirs.
#include "codegen/cpp/HostPrinter.h"

#include "codegen/host/LowerCopies.h"
#include "codegen/host/Runs.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace formwork::cpp {

using namespace source;
using P = Precedence;

//===--- launches and copies ---------------------------------------------------------------------

/// Loops over what has gaps around a memcpy of what has none.
static void printCopy(memref::CopyOp op, FunctionPrinter &printer) {
  const Buffer from = printer.buffer(op.getSource()), to = printer.buffer(op.getTarget());
  auto type = cast<MemRefType>(op.getTarget().getType());
  int64_t dense =
      std::min(denseDimensions(type), denseDimensions(cast<MemRefType>(op.getSource().getType())));
  int64_t outer = type.getRank() - dense;
  Expression fromOffset = integer(0), toOffset = integer(0);
  for (int64_t i = 0; i < outer; ++i) {
    printer.enter();
    std::string name = printer.unique(std::string(1, char('i' + std::min<int64_t>(i, 5))));
    printer.open("for (int64_t " + name + " = 0; " + name + " < " +
                 within(to.sizes[i], P::Additive) + "; ++" + name + ")");
    Expression counter{name, P::Primary, true};
    fromOffset = sum(fromOffset, product(counter, from.strides[i]));
    toOffset = sum(toOffset, product(counter, to.strides[i]));
  }
  std::string element = printer.getLanguage().elementType(type.getElementType());
  Expression count = integer(1);
  for (int64_t i = outer; i < type.getRank(); ++i)
    count = product(count, to.sizes[i]);
  auto place = [](const Buffer &buffer, const Expression &offset) {
    return within(buffer.pointer, P::Primary) + "[" + offset.text + "]";
  };
  if (count.is(1)) {
    printer.line(place(to, toOffset) + " = " + place(from, fromOffset) + ";");
  } else {
    Expression bytes = product(Expression{"sizeof(" + element + ")"}, count);
    printer.line("memcpy(" + sum(to.pointer, toOffset).text + ", " +
                 sum(from.pointer, fromOffset).text + ", " + bytes.text + ");");
  }
  for (int64_t i = 0; i < outer; ++i)
    printer.close();
}

HostLanguage::HostLanguage(LauncherPrinter &launchers) : launchers(launchers) {
  statement<memref::CopyOp>(printCopy);
  Rule view = *find(memref::ViewOp::getOperationName());
  statement<memref::ViewOp>([this, view](memref::ViewOp op, FunctionPrinter &printer) {
    bool isNeeded = llvm::any_of(op->getUses(), [this](OpOperand &use) {
      return !isa<LaunchOp>(use.getOwner()) || this->launchers.takes(use);
    });
    if (isNeeded)
      return view.statement(op, printer);
    // Its sizes may be asked for, but no pointer to it.
    SmallVector<Expression> sizes;
    for (Value size : op.getSizes())
      sizes.push_back(printer.use(size));
    printer.bindBuffer(op.getResult(), Expression{"nullptr"}, sizes);
  });
  statement<LaunchOp>([this](LaunchOp launch, FunctionPrinter &printer) {
    if (auto run = runs.find(launch); run != runs.end())
      this->launchers.call(run->second, printer);
  });
}

void HostLanguage::setRuns(func::FuncOp function) {
  runs.clear();
  function.walk([&](Block *block) {
    for (const Run &run : findRuns(*block))
      runs[run.back()] = run;
  });
}

//===--- host functions --------------------------------------------------------------------------

namespace {
/// A line of the prologue, needed if its name is.
struct Declaration {
  std::string name, text;
};

/// Finds a host function's arguments in what its entry point is given.
class Prologue {
public:
  Prologue(FunctionPrinter &printer, const StateLayout &layout)
      : printer(printer), layout(layout) {}

  LogicalResult bind(func::FuncOp host, BlockArgument argument);
  /// Only what `text` uses.
  void print(StringRef text, FunctionPrinter &out) const {
    for (const Declaration &declaration : lines)
      if (hasWord(text, declaration.name))
        out.line(declaration.text);
  }

private:
  Expression sizeOf(int64_t symbol);

  FunctionPrinter &printer;
  const StateLayout &layout;
  std::vector<Declaration> lines;
  llvm::DenseMap<int64_t, Expression> sizes;
  unsigned buffers = 0;
};
} // namespace

static std::string sizeName(int64_t symbol) {
  return symbol ? "size" + std::to_string(symbol) : "batch";
}

Expression Prologue::sizeOf(int64_t symbol) {
  Expression &size = sizes[symbol];
  if (size.text.empty()) {
    size = {printer.unique(sizeName(symbol)), P::Primary, true};
    lines.push_back(
        {size.text, "const int64_t " + size.text + " = dims[" + std::to_string(symbol) + "];"});
  }
  return size;
}

LogicalResult Prologue::bind(func::FuncOp host, BlockArgument argument) {
  unsigned i = argument.getArgNumber();
  if (auto symbol = host.getArgAttrOfType<IntegerAttr>(i, "fw.symbol")) {
    printer.bind(argument, sizeOf(symbol.getInt()));
    return success();
  }
  if (host.getArgAttr(i, "fw.arena")) {
    printer.bindBuffer(argument, {"arena"}, {integer(0)});
    return success();
  }
  auto type = cast<MemRefType>(argument.getType());
  SmallVector<Expression> dynamic;
  if (auto symbols = host.getArgAttrOfType<DenseI64ArrayAttr>(i, "fw.symbols"))
    for (auto [size, symbol] : llvm::zip_equal(type.getShape(), symbols.asArrayRef()))
      if (ShapedType::isDynamic(size))
        dynamic.push_back(sizeOf(symbol));
  auto given = host.getArgAttrOfType<StringAttr>(i, "fw.name");
  std::string name = printer.unique(given ? given.getValue() : "buffer"), from;
  std::string pointer = (isWritten(argument) ? "" : "const ") +
                        printer.getLanguage().elementType(type.getElementType()) + " *";
  if (auto variable = host.getArgAttrOfType<FlatSymbolRefAttr>(i, "fw.variable"))
    from = "reinterpret_cast<" + pointer + ">(variables + " +
           std::to_string(layout.find(variable.getValue())->offset) + ")";
  else if (host.getArgAttr(i, "fw.role"))
    from = "static_cast<" + pointer + ">(buffers[" + std::to_string(buffers++) + "])";
  else
    return host.emitError() << "argument #" << i
                            << " is no buffer, variable or size: nobody can give it";
  lines.push_back({name, pointer + "const " + name + " = " + from + ";"});
  printer.bindBuffer(argument, {name}, dynamic);
  return success();
}

/// `head(parameters) {`: those that `body` does not use have no names.
static void openFunction(const std::string &head, ArrayRef<std::pair<StringRef, StringRef>> given,
                         StringRef body, FunctionPrinter &out) {
  SmallVector<std::string> parameters;
  for (auto [type, name] : given)
    parameters.push_back(
        (type + (hasWord(body, name) ? name.str() : " /*" + name.str() + "*/")).str());
  out.line(head + "(" + llvm::join(parameters, ", ") + ") {");
}

LogicalResult HostPrinter::printHost(func::FuncOp host, raw_ostream &os) {
  language.setRuns(host);
  std::string text, body;
  llvm::raw_string_ostream stream(text), bodyStream(body);
  FunctionPrinter printer(language, symbols, names, stream);
  printer.indent();
  for (StringRef name : {"context", "variables", "arena", "dims", "buffers"})
    (void)printer.unique(name);
  Prologue prologue(printer, layout);
  for (BlockArgument argument : host.getArguments())
    if (failed(prologue.bind(host, argument)))
      return failure();
  printer.statements(host.front());

  FunctionPrinter lines(language, symbols, names, bodyStream), out(language, symbols, names, os);
  lines.indent();
  prologue.print(text, lines);
  body += text;
  openFunction("FW_NOINLINE void " + symbols.find(host.getName())->second,
               {{"const formwork_context *", "context"},
                {layout.isMutable() ? "uint8_t *" : "const uint8_t *", "variables"},
                {"uint8_t *", "arena"},
                {"const int64_t *", "dims"},
                {"void *const *", "buffers"}},
               body, out);
  os << body << "}\n\n";
  return printer.result();
}

//===--- entry points ----------------------------------------------------------------------------

static std::string checkDims(const Entry &entry, const ConcreteEntry &concrete) {
  SmallVector<std::string> wrong;
  for (int64_t symbol = 0; symbol < entry.dimCount; ++symbol)
    wrong.push_back("dims[" + std::to_string(symbol) + "]" +
                    (concrete.general ? " < 0" : " != " + std::to_string(concrete.dims[symbol])));
  return llvm::join(wrong, " || ");
}

LogicalResult HostPrinter::printEntry(const Entry &entry, const ConcreteEntry &concrete,
                                      func::FuncOp arenaSize, raw_ostream &os) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  FunctionPrinter body(language, symbols, names, stream), out(language, symbols, names, os);
  body.indent();
  if (std::string wrong = checkDims(entry, concrete); !wrong.empty()) {
    body.line("if (" + wrong + ")");
    body.line("  return FORMWORK_BAD_DIMS;");
  }
  // The host function is not inlined: no arithmetic moves across the change of mode.
  body.line("const fw::flush_denormals mode;");
  std::string variables = layout.isMutable() ? "static_cast<uint8_t *>(state)"
                                             : "static_cast<const uint8_t *>(constants)";
  body.line(symbols.find(concrete.function)->second + "(context, " + variables +
            ", static_cast<uint8_t *>(arena), dims, buffers);");
  body.line("return FORMWORK_OK;");
  openFunction("int " + concrete.symbol,
               {{"const formwork_context *", "context"},
                {"const void *", "constants"},
                {"void *", "state"},
                {"void *", "arena"},
                {"const int64_t *", "dims"},
                {"void *const *", "buffers"}},
               text, out);
  os << text << "}\n\n";
  return printArenaSize(concrete, arenaSize, os);
}

LogicalResult HostPrinter::printArenaSize(const ConcreteEntry &concrete, func::FuncOp size,
                                          raw_ostream &os) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  FunctionPrinter body(language, symbols, names, stream), out(language, symbols, names, os);
  body.indent();
  for (BlockArgument argument : size.getArguments()) {
    int64_t symbol =
        size.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), "fw.symbol").getInt();
    std::string name = body.unique(sizeName(symbol));
    if (!argument.use_empty())
      body.line("const int64_t " + name + " = dims[" + std::to_string(symbol) + "];");
    body.bind(argument, Expression{name, P::Primary, true});
  }
  body.statements(size.front());
  body.line("return " + body.use(size.front().getTerminator()->getOperand(0)).text + ";");
  openFunction("int64_t " + concrete.arenaSymbol, {{"const int64_t *", "dims"}}, text, out);
  os << text << "}\n\n";
  return body.result();
}

} // namespace formwork::cpp
