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

/// A line of the prologue, needed if its name is.
namespace {
struct Declaration {
  std::string name, text;
};
} // namespace

static std::string pointerTo(Value buffer, const Language &language) {
  auto type = cast<MemRefType>(buffer.getType());
  return (isWritten(buffer) ? "" : "const ") + language.elementType(type.getElementType()) + " *";
}

LogicalResult HostPrinter::printHost(func::FuncOp host, raw_ostream &os) {
  language.setRuns(host);
  std::string text;
  llvm::raw_string_ostream body(text);
  FunctionPrinter printer(language, symbols, names, body);
  printer.indent();
  for (StringRef name : {"context", "variables", "arena", "dims", "buffers"})
    (void)printer.unique(name);

  std::vector<Declaration> prologue;
  llvm::DenseMap<int64_t, Expression> sizes;
  auto sizeOf = [&](int64_t symbol) {
    Expression &size = sizes[symbol];
    if (size.text.empty()) {
      size = {printer.unique(symbol ? "size" + std::to_string(symbol) : "batch"), P::Primary, true};
      prologue.push_back(
          {size.text, "const int64_t " + size.text + " = dims[" + std::to_string(symbol) + "];"});
    }
    return size;
  };
  unsigned buffer = 0;
  for (BlockArgument argument : host.getArguments()) {
    unsigned i = argument.getArgNumber();
    auto attribute = [&](StringRef name) { return host.getArgAttr(i, name); };
    if (auto symbol = host.getArgAttrOfType<IntegerAttr>(i, "fw.symbol")) {
      printer.bind(argument, sizeOf(symbol.getInt()));
      continue;
    }
    if (attribute("fw.arena")) {
      printer.bindBuffer(argument, {"arena"}, {integer(0)});
      continue;
    }
    SmallVector<Expression> dynamic;
    if (auto symbols = host.getArgAttrOfType<DenseI64ArrayAttr>(i, "fw.symbols"))
      for (auto [size, symbol] :
           llvm::zip_equal(cast<MemRefType>(argument.getType()).getShape(), symbols.asArrayRef()))
        if (ShapedType::isDynamic(size))
          dynamic.push_back(sizeOf(symbol));
    auto given = host.getArgAttrOfType<StringAttr>(i, "fw.name");
    std::string name = printer.unique(given ? given.getValue() : "buffer");
    std::string pointer = pointerTo(argument, language), from;
    if (auto variable = host.getArgAttrOfType<FlatSymbolRefAttr>(i, "fw.variable"))
      from = "reinterpret_cast<" + pointer + ">(variables + " +
             std::to_string(layout.find(variable.getValue())->offset) + ")";
    else if (attribute("fw.role"))
      from = "static_cast<" + pointer + ">(buffers[" + std::to_string(buffer++) + "])";
    else
      return host.emitError() << "argument #" << i
                              << " is no buffer, variable or size: nobody can give it";
    prologue.push_back({name, pointer + "const " + name + " = " + from + ";"});
    printer.bindBuffer(argument, {name}, dynamic);
  }
  printer.statements(host.front());
  if (failed(printer.result()))
    return failure();

  std::string head;
  llvm::raw_string_ostream headStream(head);
  FunctionPrinter lines(language, symbols, names, headStream);
  lines.indent();
  for (const Declaration &declaration : prologue)
    if (hasWord(text, declaration.name))
      lines.line(declaration.text);
  head += text;
  auto parameter = [&](StringRef type, StringRef name) {
    return (type + (hasWord(head, name) ? name.str() : " /*" + name.str() + "*/")).str();
  };
  std::string variables = layout.isMutable() ? "uint8_t *" : "const uint8_t *";
  FunctionPrinter out(language, symbols, names, os);
  out.line("FW_NOINLINE void " + symbols.find(host.getName())->second + "(" +
           llvm::join(ArrayRef<std::string>{parameter("const formwork_context *", "context"),
                                            parameter(variables, "variables"),
                                            parameter("uint8_t *", "arena"),
                                            parameter("const int64_t *", "dims"),
                                            parameter("void *const *", "buffers")},
                      ", ") +
           ") {");
  os << head << "}\n\n";
  return success();
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
  llvm::raw_string_ostream body(text);
  FunctionPrinter printer(language, symbols, names, body);
  printer.indent();
  if (std::string wrong = checkDims(entry, concrete); !wrong.empty()) {
    printer.line("if (" + wrong + ")");
    printer.line("  return FORMWORK_BAD_DIMS;");
  }
  printer.line("const fw::flush_denormals mode;");
  std::string variables = layout.isMutable() ? "static_cast<uint8_t *>(state)"
                                             : "static_cast<const uint8_t *>(constants)";
  printer.line(symbols.find(concrete.function)->second + "(context, " + variables +
               ", static_cast<uint8_t *>(arena), dims, buffers);");
  printer.line("return FORMWORK_OK;");
  FunctionPrinter out(language, symbols, names, os);
  auto parameter = [&](StringRef type, StringRef name) {
    return (type + (hasWord(text, name) ? name.str() : " /*" + name.str() + "*/")).str();
  };
  out.line(
      "int " + concrete.symbol + "(" +
      llvm::join(ArrayRef<std::string>{parameter("const formwork_context *", "context"),
                                       parameter("const void *", "constants"),
                                       parameter("void *", "state"), parameter("void *", "arena"),
                                       parameter("const int64_t *", "dims"),
                                       parameter("void *const *", "buffers")},
                 ", ") +
      ") {");
  os << text << "}\n\n";

  text.clear();
  FunctionPrinter size(language, symbols, names, body);
  size.indent();
  for (BlockArgument argument : arenaSize.getArguments()) {
    int64_t symbol =
        arenaSize.getArgAttrOfType<IntegerAttr>(argument.getArgNumber(), "fw.symbol").getInt();
    std::string name = size.unique(symbol ? "size" + std::to_string(symbol) : "batch");
    if (!argument.use_empty())
      size.line("const int64_t " + name + " = dims[" + std::to_string(symbol) + "];");
    size.bind(argument, Expression{name, P::Primary, true});
  }
  size.statements(arenaSize.front());
  size.line("return " + size.use(arenaSize.front().getTerminator()->getOperand(0)).text + ";");
  os << "int64_t " << concrete.arenaSymbol << "(" << parameter("const int64_t *", "dims") << ") {\n"
     << text << "}\n\n";
  return success(succeeded(printer.result()) && succeeded(size.result()));
}

} // namespace formwork::cpp
