// Rules for memref: what is loaded and stored, and views, which become pointers and strides.
#include "codegen/source/FunctionPrinter.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace formwork::source {

using Printer = FunctionPrinter;

//===--- places ----------------------------------------------------------------------------------

const Buffer &FunctionPrinter::buffer(Value value) {
  auto known = buffers.find(value);
  if (known != buffers.end())
    return known->second;
  if (!failed)
    fail(value.getDefiningOp() ? value.getDefiningOp() : value.getParentBlock()->getParentOp(),
         "a buffer without a name");
  auto rank = cast<MemRefType>(value.getType()).getRank();
  SmallVector<Expression> nothing(rank, integer(0));
  return buffers[value] = Buffer{{"NULL"}, nothing, nothing, false};
}

/// The number of an element, counted from the first.
Expression FunctionPrinter::offset(const Buffer &buffer, ValueRange indices) {
  Expression total = integer(0);
  int64_t constant = 0;
  for (auto [index, stride] : llvm::zip_equal(indices, buffer.strides)) {
    Expression step = product(use(index), stride);
    if (step.constant)
      constant += *step.constant;
    else
      total = sum(total, step);
  }
  return sum(total, integer(constant));
}

Expression FunctionPrinter::element(Value value, ValueRange indices) {
  const Buffer &place = buffer(value);
  std::string text = within(place.pointer, Precedence::Primary);
  if (!place.isArray)
    return {text + "[" + offset(place, indices).text + "]"};
  // A dimension of one element is not declared.
  for (auto [index, size] : llvm::zip_equal(indices, place.sizes))
    if (!size.is(1))
      text += "[" + use(index).text + "]";
  return {text};
}

Expression FunctionPrinter::address(Value value, ValueRange indices) {
  const Buffer &place = buffer(value);
  if (place.isArray)
    return {"&" + element(value, indices).text, Precedence::Unary};
  Expression distance = offset(place, indices);
  if (distance.is(0))
    return place.pointer;
  return {"&" + within(place.pointer, Precedence::Primary) + "[" + distance.text + "]",
          Precedence::Unary};
}

//===--- elements --------------------------------------------------------------------------------

static Expression printLoad(memref::LoadOp op, Printer &printer) {
  Expression element = printer.element(op.getMemRef(), op.getIndices());
  Type type = op.getType();
  if (type.isInteger(1))
    return binary(element, "!=", {"0"}, Precedence::Comparison);
  element.isSigned = type.isInteger() && !type.isInteger(8);
  return element;
}

static void printStore(memref::StoreOp op, Printer &printer) {
  bool isSigned = op.getValue().getType().isInteger() && !op.getValue().getType().isInteger(8);
  printer.line(printer.element(op.getMemRef(), op.getIndices()).text + " = " +
               printer.use(op.getValue(), isSigned).text + ";");
}

static Expression printSize(memref::DimOp op, Printer &printer) {
  return printer.buffer(op.getSource()).sizes[*op.getConstantIndex()];
}

/// Accessed an element at a time, it is an array of all its dimensions; else of one.
static void printArray(memref::AllocaOp op, Printer &printer) {
  MemRefType type = op.getType();
  if (!type.hasStaticShape() || !op.getSymbolOperands().empty())
    return printer.fail(op, "an array of unknown size");
  bool byElement = llvm::all_of(
      op->getUsers(), [](Operation *user) { return isa<memref::LoadOp, memref::StoreOp>(user); });
  auto given = op->getAttrOfType<StringAttr>("fw.name");
  std::string name = printer.unique(given                                    ? given.getValue()
                                    : isa<VectorType>(type.getElementType()) ? "tile"
                                                                             : "scratch");
  std::optional<int64_t> alignment;
  if (auto bytes = op.getAlignment())
    alignment = *bytes;
  if (printer.getLanguage().array(type, "", {}, false).empty())
    return printer.fail(op, "an array of such elements");
  printer.line(printer.getLanguage().array(type, name, alignment, !byElement) + ";");
  printer.bindBuffer(op.getResult(), Expression{name}, {});
  if (byElement) {
    Buffer array = printer.buffer(op.getResult());
    array.isArray = true;
    printer.bindBuffer(op.getResult(), array);
  }
}

static void printGlobal(memref::GetGlobalOp op, Printer &printer) {
  printer.bindBuffer(op.getResult(), {printer.symbol(op.getName()).str()}, {});
}

//===--- views -----------------------------------------------------------------------------------

/// A pointer to what is `distance` elements further, with a name if it is not the same place.
static Expression moved(Value view, const Buffer &source, const Expression &distance,
                        Printer &printer) {
  if (distance.is(0) || view.use_empty())
    return source.pointer;
  StringRef stem = StringRef(source.pointer.text).take_while([](char c) {
    return llvm::isAlnum(c) || c == '_';
  });
  std::string name = printer.unique((stem + "_part").str());
  std::string element =
      printer.getLanguage().elementType(cast<MemRefType>(view.getType()).getElementType());
  printer.line((isWritten(view) ? "" : "const ") + element + " *const " + name + " = " +
               sum(source.pointer, distance).text + ";");
  return {name};
}

static Expression sizeOf(OpFoldResult size, Printer &printer) {
  if (auto constant = getConstantIntValue(size))
    return integer(*constant);
  return printer.use(cast<Value>(size));
}

static void printSubview(memref::SubViewOp op, Printer &printer) {
  Buffer source = printer.buffer(op.getSource()), view;
  Expression distance = integer(0);
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (auto [i, offset, size, step] :
       llvm::enumerate(op.getMixedOffsets(), op.getMixedSizes(), op.getMixedStrides())) {
    distance = sum(distance, product(sizeOf(offset, printer), source.strides[i]));
    if (dropped.test(i))
      continue;
    view.sizes.push_back(sizeOf(size, printer));
    view.strides.push_back(product(source.strides[i], sizeOf(step, printer)));
  }
  view.pointer = moved(op.getResult(), source, distance, printer);
  printer.bindBuffer(op.getResult(), std::move(view));
}

static void printExpansion(memref::ExpandShapeOp op, Printer &printer) {
  Buffer source = printer.buffer(op.getSrc()), view;
  view.pointer = source.pointer;
  for (OpFoldResult size : op.getMixedOutputShape())
    view.sizes.push_back(sizeOf(size, printer));
  view.strides.resize(view.sizes.size());
  for (auto [i, group] : llvm::enumerate(op.getReassociationIndices())) {
    Expression stride = source.strides[i];
    for (int64_t dim : llvm::reverse(group)) {
      view.strides[dim] = stride;
      stride = product(view.sizes[dim], stride);
    }
  }
  printer.bindBuffer(op.getResult(), std::move(view));
}

static void printCollapse(memref::CollapseShapeOp op, Printer &printer) {
  Buffer source = printer.buffer(op.getSrc()), view;
  view.pointer = source.pointer;
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    Expression size = integer(1);
    // Steps through a dimension of one element mean nothing.
    int64_t innermost = group.back();
    for (int64_t dim : group)
      size = product(size, source.sizes[dim]);
    for (int64_t dim : group)
      if (!source.sizes[dim].is(1))
        innermost = dim;
    view.sizes.push_back(size);
    view.strides.push_back(source.strides[innermost]);
  }
  printer.bindBuffer(op.getResult(), std::move(view));
}

/// A typed part of a buffer of bytes.
static void printView(memref::ViewOp op, Printer &printer) {
  if (op->use_empty())
    return;
  const Buffer &source = printer.buffer(op.getSource());
  Expression place = sum(source.pointer, printer.use(op.getByteShift()));
  std::string element = printer.getLanguage().elementType(op.getType().getElementType());
  std::string name = printer.unique(
      op->hasAttr("fw.name") ? op->getAttrOfType<StringAttr>("fw.name").getValue() : "part");
  std::string pointer = (isWritten(op.getResult()) ? "" : "const ") + element + " *";
  printer.line(pointer + "const " + name + " = reinterpret_cast<" + pointer + ">(" + place.text +
               ");");
  SmallVector<Expression> sizes;
  for (Value size : op.getSizes())
    sizes.push_back(printer.use(size));
  printer.bindBuffer(op.getResult(), Expression{name}, sizes);
}

/// Where a buffer is and how it lies, one by one.
static void printMetadata(memref::ExtractStridedMetadataOp op, Printer &printer) {
  const Buffer buffer = printer.buffer(op.getSource());
  printer.bindBuffer(op.getBaseBuffer(), buffer.pointer, {});
  printer.bind(op.getOffset(), integer(0));
  for (auto [result, size] : llvm::zip_equal(op.getSizes(), buffer.sizes))
    printer.bind(result, size);
  for (auto [result, stride] : llvm::zip_equal(op.getStrides(), buffer.strides))
    printer.bind(result, stride);
}

/// The same place by another type: booleans as bytes.
template <typename Op> static void printSame(Op op, Printer &printer) {
  Value from = op->getOperand(0), to = op->getResult(0);
  if (isa<MemRefType>(from.getType()) && isa<MemRefType>(to.getType()))
    printer.bindBuffer(to, Buffer(printer.buffer(from)));
  else
    printer.fail(op, "a cast between these types");
}

void addMemoryRules(Language &language) {
  language.expression<memref::LoadOp>("", printLoad);
  language.statement<memref::StoreOp>(printStore);
  language.expression<memref::DimOp>("size", printSize);
  language.statement<memref::AllocaOp>(printArray);
  language.statement<memref::GetGlobalOp>(printGlobal);
  language.statement<memref::SubViewOp>(printSubview);
  language.statement<memref::ExpandShapeOp>(printExpansion);
  language.statement<memref::CollapseShapeOp>(printCollapse);
  language.statement<memref::ViewOp>(printView);
  language.statement<memref::ExtractStridedMetadataOp>(printMetadata);
  language.statement<memref::CastOp>(
      [](memref::CastOp op, Printer &printer) { printSame(op, printer); });
  language.statement<UnrealizedConversionCastOp>(
      [](UnrealizedConversionCastOp op, Printer &printer) { printSame(op, printer); });
}

} // namespace formwork::source
