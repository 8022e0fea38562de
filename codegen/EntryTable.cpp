// Reads entries off the attributes of functions.
#include "codegen/EntryTable.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;

namespace formwork {

static SmallVector<int64_t> shapeOf(ShapedType type, DictionaryAttr attributes) {
  SmallVector<int64_t> shape(type.getShape());
  if (auto symbols = attributes.getAs<DenseI64ArrayAttr>("fw.symbols"))
    for (auto [size, symbol] : llvm::zip_equal(shape, symbols.asArrayRef()))
      if (symbol >= 0)
        size = -1 - symbol;
  return shape;
}

/// Appends the buffer that an argument or result is; variables, sizes and the arena are none.
static void appendBuffer(std::vector<EntryBuffer> &buffers, Type type, DictionaryAttr attributes) {
  auto role = attributes ? attributes.getAs<StringAttr>("fw.role") : StringAttr();
  if (!role)
    return;
  EntryBuffer buffer;
  buffer.role = role.str();
  if (auto name = attributes.getAs<StringAttr>("fw.name"))
    buffer.name = name.str();
  buffer.element = cast<ShapedType>(type).getElementType();
  buffer.shape = shapeOf(cast<ShapedType>(type), attributes);
  if (auto limit = attributes.getAs<IntegerAttr>("fw.limit"))
    buffer.limit = limit.getInt();
  buffers.push_back(std::move(buffer));
}

/// Gradients are what functions fill, but for `apply`, which has nothing else and takes them.
static void markWritten(std::vector<EntryBuffer> &buffers) {
  static const llvm::StringSet<> written = {"output", "loss", "metric", "derived"};
  bool takesGradients =
      llvm::all_of(buffers, [](const EntryBuffer &buffer) { return buffer.role == "gradient"; });
  for (EntryBuffer &buffer : buffers)
    buffer.written =
        written.contains(buffer.role) || (buffer.role == "gradient" && !takesGradients);
}

static std::vector<EntryBuffer> buffersOf(func::FuncOp function) {
  std::vector<EntryBuffer> buffers;
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    appendBuffer(buffers, function.getArgumentTypes()[i], function.getArgAttrDict(i));
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    appendBuffer(buffers, function.getResultTypes()[i], function.getResultAttrDict(i));
  markWritten(buffers);
  return buffers;
}

static ConcreteEntry concreteOf(func::FuncOp function, StringRef entry, StringRef prefix) {
  ConcreteEntry concrete;
  concrete.function = function.getName().str();
  std::string suffix = "__any";
  if (auto dims = function->getAttrOfType<DenseI64ArrayAttr>("fw.dims")) {
    concrete.dims = llvm::to_vector(dims.asArrayRef());
    suffix = "__" + llvm::join(llvm::map_range(concrete.dims,
                                               [](int64_t size) { return std::to_string(size); }),
                               "x");
  }
  concrete.general = concrete.dims.empty();
  concrete.symbol = (prefix + "_" + entry + suffix).str();
  concrete.arenaSymbol = (prefix + "_" + entry + "_arena" + suffix).str();
  if (auto bytes = function->getAttrOfType<IntegerAttr>("fw.arena_bytes"))
    concrete.arenaBytes = bytes.getInt();
  return concrete;
}

/// The entry a function is or is a concrete function of; empty if it is neither.
static StringRef entryOf(func::FuncOp function) {
  if (auto general = function->getAttrOfType<FlatSymbolRefAttr>("fw.concrete_of"))
    return general.getValue();
  if (auto entry = function->getAttrOfType<StringAttr>("fw.entry"))
    return entry.getValue();
  return function->hasAttr("fw.entry") ? function.getName() : StringRef();
}

static bool usesSymbols(const Entry &entry) {
  return llvm::any_of(entry.buffers, [](const EntryBuffer &buffer) {
    return llvm::any_of(buffer.shape, [](int64_t size) { return size < 0; });
  });
}

std::vector<Entry> readEntries(ModuleOp module, StringRef prefix) {
  llvm::MapVector<StringRef, Entry> entries;
  for (auto function : module.getOps<func::FuncOp>()) {
    StringRef name = entryOf(function);
    if (name.empty() || function.isPrivate())
      continue;
    Entry &entry = entries[name];
    entry.name = name.str();
    entry.concretes.push_back(concreteOf(function, name, prefix));
    // Concrete functions keep fw.symbols, so any of them describes the entry.
    entry.buffers = buffersOf(function);
  }
  auto symbols = module->getAttrOfType<IntegerAttr>("fw.symbols");
  std::vector<Entry> result;
  for (auto &[name, entry] : entries) {
    // The general one, of which there is one, last.
    auto general = llvm::find_if(entry.concretes, std::mem_fn(&ConcreteEntry::general));
    if (general != entry.concretes.end())
      std::rotate(general, general + 1, entry.concretes.end());
    entry.dimCount = symbols && usesSymbols(entry) ? symbols.getInt() : 0;
    result.push_back(std::move(entry));
  }
  return result;
}

} // namespace formwork
