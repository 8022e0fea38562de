// Rules for vectors: the vector dialect, and what arith does to conditions of lanes.
#include "codegen/cpp/CppLanguage.h"

#include "codegen/source/FunctionPrinter.h"
#include "codegen/source/Literals.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace formwork::cpp {

using namespace source;
using Printer = FunctionPrinter;
using P = Precedence;

static bool isVector(Value value) { return isa<VectorType>(value.getType()); }
static Type elementOf(Value value) { return getElementTypeOrSelf(value.getType()); }
static bool areConditions(Value value) { return isVector(value) && elementOf(value).isInteger(1); }

static std::string templated(StringRef function, Value result, Printer &printer) {
  return ("fw::" + function + "<" + printer.type(result) + ">").str();
}

/// A scalar as a lane: a condition as all bits or none.
static Expression lane(Value scalar, Printer &printer) {
  if (!scalar.getType().isInteger(1))
    return printer.use(scalar, scalar.getType().isIndex());
  APInt constant;
  if (matchPattern(scalar, m_ConstantInt(&constant)))
    return integer(constant.isZero() ? 0 : -1);
  return conditional(printer.use(scalar), {"-1"}, {"0"});
}

//===--- making and taking apart -----------------------------------------------------------------

static Expression literal(Attribute value) {
  if (auto number = dyn_cast<FloatAttr>(value))
    return floatLiteral(number.getValue());
  auto number = cast<IntegerAttr>(value);
  if (number.getType().isInteger(1))
    return integer(number.getValue().isZero() ? 0 : -1);
  return integerLiteral(number.getValue(), /*isSigned=*/number.getType().isIndex());
}

static Expression braces(Value result, ArrayRef<Expression> lanes, Printer &printer) {
  std::string text = printer.type(result) + "{";
  for (const Expression &lane : lanes)
    text += (&lane == lanes.begin() ? "" : ", ") + lane.text;
  return {text + "}", P::Primary, elementOf(result).isIndex()};
}

static Expression printConstant(arith::ConstantOp op, Printer &printer, const Rule &scalar) {
  auto elements = dyn_cast<DenseElementsAttr>(op.getValue());
  if (!elements || !isVector(op.getResult()))
    return scalar.expression(op, printer);
  bool isIndex = elementOf(op.getResult()).isIndex();
  if (elements.isSplat()) {
    Expression result = call(templated("splat", op.getResult(), printer),
                             {literal(elements.getSplatValue<Attribute>())});
    result.isSigned = isIndex;
    return result;
  }
  SmallVector<Expression> lanes;
  for (Attribute value : elements.getValues<Attribute>())
    lanes.push_back(literal(value));
  return braces(op.getResult(), lanes, printer);
}

static Expression printBroadcast(vector::BroadcastOp op, Printer &printer) {
  if (op.getSource().getType() == op.getType())
    return printer.use(op.getSource());
  if (isVector(op.getSource()))
    printer.fail(op, "a vector of vectors");
  Expression result =
      call(templated("splat", op.getResult(), printer), {lane(op.getSource(), printer)});
  result.isSigned = elementOf(op.getResult()).isIndex();
  return result;
}

static Expression printFromElements(vector::FromElementsOp op, Printer &printer) {
  SmallVector<Expression> lanes;
  for (Value element : op.getElements())
    lanes.push_back(lane(element, printer));
  return braces(op.getResult(), lanes, printer);
}

static Expression printStep(vector::StepOp op, Printer &printer) {
  return {templated("step", op.getResult(), printer) + "()", P::Primary,
          elementOf(op.getResult()).isIndex()};
}

static Expression printExtract(vector::ExtractOp op, Printer &printer) {
  if (isVector(op.getResult()) || op.getMixedPosition().size() != 1)
    printer.fail(op, "a part of a vector that is no lane");
  OpFoldResult position = op.getMixedPosition().front();
  auto constant = getConstantIntValue(position);
  std::string index =
      constant ? std::to_string(*constant) : printer.use(cast<Value>(position)).text;
  Expression whole = printer.use(op.getSource());
  Expression element{within(whole, P::Primary) + "[" + index + "]", P::Primary, whole.isSigned};
  return op.getType().isInteger(1) ? binary(element, "!=", {"0"}, P::Comparison) : element;
}

/// Whether the lanes are those of the first operand from `first` on.
static bool isPart(ArrayRef<int64_t> lanes, int64_t first) {
  return llvm::all_of(llvm::enumerate(lanes),
                      [&](auto lane) { return lane.value() == first + int64_t(lane.index()); });
}

static Expression printShuffle(vector::ShuffleOp op, Printer &printer) {
  ArrayRef<int64_t> mask = op.getMask();
  int64_t count = mask.size();
  if (op.getV1VectorType().getNumElements() == 2 * count && isPart(mask, 0))
    return call("fw::low", {printer.use(op.getV1())});
  if (op.getV1VectorType().getNumElements() == 2 * count && isPart(mask, count))
    return call("fw::high", {printer.use(op.getV1())});
  std::string lanes;
  for (int64_t lane : op.getMask())
    // What no lane is asked for may be any.
    lanes += (lanes.empty() ? "" : ", ") + std::to_string(std::max<int64_t>(lane, 0));
  return call("fw::shuffle<" + lanes + ">", {printer.use(op.getV1()), printer.use(op.getV2())});
}

/// Of lanes of at least 32 bits: narrower ones do not take a scalar of C++, which is an int.
std::optional<Expression> CppLanguage::scalarOf(Value value, bool isSigned,
                                                Printer &printer) const {
  Type element = elementOf(value);
  if (!isVector(value) || (element.isIntOrFloat() && element.getIntOrFloatBitWidth() < 32))
    return std::nullopt;
  if (auto broadcast = value.getDefiningOp<vector::BroadcastOp>())
    if (!isVector(broadcast.getSource()))
      return printer.use(broadcast.getSource(), isSigned);
  DenseElementsAttr constant;
  if (!matchPattern(value, m_Constant(&constant)) || !constant.isSplat())
    return std::nullopt;
  auto scalar = constant.getSplatValue<Attribute>();
  auto number = dyn_cast<IntegerAttr>(scalar);
  return number ? integerLiteral(number.getValue(), isSigned) : literal(scalar);
}

//===--- masks -----------------------------------------------------------------------------------

/// How many lanes a mask has that has the first few.
static std::optional<Expression> countOf(Value mask, Printer &printer) {
  if (auto created = mask.getDefiningOp<vector::CreateMaskOp>())
    return printer.use(created.getOperand(0));
  if (auto constant = mask.getDefiningOp<vector::ConstantMaskOp>())
    return integer(constant.getMaskDimSizes().front());
  return std::nullopt;
}

/// Loads and stores say themselves how many lanes they are for.
template <typename Op> static void printMask(Op op, Printer &printer) {
  bool isNeeded = llvm::any_of(op->getUses(), [](OpOperand &use) {
    return !isa<vector::MaskedLoadOp, vector::MaskedStoreOp>(use.getOwner());
  });
  if (isNeeded)
    printer.declare(
        op.getResult(), "lanes",
        call(templated("first", op.getResult(), printer), {*countOf(op.getResult(), printer)}));
}

//===--- memory ----------------------------------------------------------------------------------

static Expression printLoad(vector::LoadOp op, Printer &printer) {
  return call(templated("load", op.getResult(), printer),
              {printer.address(op.getBase(), op.getIndices())});
}

static void printStore(vector::StoreOp op, Printer &printer) {
  Expression to = printer.address(op.getBase(), op.getIndices());
  printer.line(call("fw::store", {to, printer.use(op.getValueToStore())}).text + ";");
}

static void printPrefetch(memref::PrefetchOp op, Printer &printer) {
  Expression place = printer.address(op.getMemref(), op.getIndices());
  printer.line(call("fw::prefetch", {place}).text + ";");
}

static Expression printMaskedLoad(vector::MaskedLoadOp op, Printer &printer) {
  Expression from = printer.address(op.getBase(), op.getIndices());
  auto count = countOf(op.getMask(), printer);
  return call(templated(count ? "load_first" : "load_masked", op.getResult(), printer),
              {from, count ? *count : printer.use(op.getMask()), printer.use(op.getPassThru())});
}

static void printMaskedStore(vector::MaskedStoreOp op, Printer &printer) {
  Expression to = printer.address(op.getBase(), op.getIndices());
  auto count = countOf(op.getMask(), printer);
  printer.line(
      call(count ? "fw::store_first" : "fw::store_masked",
           {to, count ? *count : printer.use(op.getMask()), printer.use(op.getValueToStore())})
          .text +
      ";");
}

static Expression printGather(vector::GatherOp op, Printer &printer) {
  return call(templated("gather", op.getResult(), printer),
              {printer.address(op.getBase(), op.getOffsets()), printer.use(op.getIndices(), true),
               printer.use(op.getMask()), printer.use(op.getPassThru())});
}

//===--- arith -----------------------------------------------------------------------------------

/// Conditions are lanes of 32 bits, whatever was compared.
template <typename Op> static void addCompare(Language &language) {
  Rule scalar = *language.find(Op::getOperationName());
  language.expression<Op>("holds", [scalar](Op op, Printer &printer) {
    Expression holds = scalar.expression(op, printer);
    bool fits = !isVector(op.getLhs()) || (elementOf(op.getLhs()).isIntOrFloat() &&
                                           (elementOf(op.getLhs()).getIntOrFloatBitWidth() == 32 ||
                                            elementOf(op.getLhs()).isInteger(1)));
    return fits ? holds : call("fw::mask", {holds});
  });
}

static Expression printSelect(arith::SelectOp op, Printer &printer, const Rule &scalar) {
  if (!isVector(op.getCondition()))
    return scalar.expression(op, printer);
  bool isSigned = elementOf(op.getResult()).isIndex();
  auto [a, b] = printer.operands(op.getTrueValue(), op.getFalseValue(), isSigned);
  Expression result = call("fw::select", {printer.use(op.getCondition()), a, b});
  result.isSigned = isSigned;
  return result;
}

/// Of conditions 1 or `holds` and 0.
template <typename Op> static void addConversion(Language &language, StringRef noun, int holds) {
  Rule others = *language.find(Op::getOperationName());
  language.expression<Op>(noun, [=](Op op, Printer &printer) {
    Value from = op->getOperand(0), to = op->getResult(0);
    if (!areConditions(from))
      return others.expression(op, printer);
    std::string splat = templated("splat", to, printer);
    return call("fw::select",
                {printer.use(from), call(splat, {integer(holds)}), call(splat, {integer(0)})});
  });
}

static Expression printTruncation(arith::TruncIOp op, Printer &printer, const Rule &others) {
  if (!areConditions(op.getOut()))
    return others.expression(op, printer);
  Expression from = printer.use(op.getIn(), false);
  std::string splat = templated("splat", op.getIn(), printer);
  Expression bit = binary(from, "&", call(splat, {{"1"}}), P::BitAnd);
  return call("fw::mask", {binary(bit, "!=", call(splat, {{"0"}}), P::Comparison)});
}

/// a * b + c, of which any but one may be a scalar.
static Expression printFma(math::FmaOp op, Printer &printer) {
  if (!isVector(op.getResult()))
    return call("fw::fma",
                {printer.use(op.getA()), printer.use(op.getB()), printer.use(op.getC())});
  SmallVector<Expression> arguments;
  bool hasVector = false;
  for (Value operand : {op.getC(), op.getB(), op.getA()}) {
    auto scalar = printer.getLanguage().scalarOf(operand, false, printer);
    bool isLast = arguments.size() == 2;
    bool asScalar = scalar && (hasVector || !isLast);
    hasVector |= !asScalar;
    arguments.insert(arguments.begin(), asScalar ? *scalar : printer.use(operand));
  }
  return call("fw::fma", arguments);
}

/// A function of two operands, of which one may be a scalar.
template <typename Op> static void addPair(Language &language, StringRef noun, StringRef function) {
  std::string name = ("fw::" + function).str();
  language.expression<Op>(noun, [name](Op op, Printer &printer) {
    auto [a, b] = printer.operands(op.getLhs(), op.getRhs());
    return call(name, {a, b});
  });
}

template <typename Op>
static void wrap(Language &language, StringRef noun,
                 Expression (*print)(Op, Printer &, const Rule &)) {
  Rule others = *language.find(Op::getOperationName());
  language.expression<Op>(noun,
                          [=](Op op, Printer &printer) { return print(op, printer, others); });
}

void addVectorRules(Language &language) {
  wrap<arith::ConstantOp>(language, "constant", printConstant);
  language.expression<vector::BroadcastOp>("everywhere", printBroadcast);
  language.expression<vector::FromElementsOp>("lanes", printFromElements);
  language.expression<vector::StepOp>("lane", printStep);
  language.expression<vector::ExtractOp>("lane", printExtract);
  language.expression<vector::ShuffleOp>("shuffled", printShuffle);
  language.statement<vector::CreateMaskOp>(printMask<vector::CreateMaskOp>);
  language.statement<vector::ConstantMaskOp>(printMask<vector::ConstantMaskOp>);
  language.expression<vector::LoadOp>("", printLoad);
  language.statement<vector::StoreOp>(printStore);
  language.expression<vector::MaskedLoadOp>("", printMaskedLoad);
  language.statement<vector::MaskedStoreOp>(printMaskedStore);
  language.statement<memref::PrefetchOp>(printPrefetch);
  language.expression<vector::GatherOp>("gathered", printGather);
  addCompare<arith::CmpFOp>(language);
  addCompare<arith::CmpIOp>(language);
  language.expression<math::FmaOp>("sum", printFma);
  addPair<arith::MaximumFOp>(language, "most", "maximum");
  addPair<arith::MinimumFOp>(language, "least", "minimum");
  language.repeat(vector::BroadcastOp::getOperationName());
  wrap<arith::SelectOp>(language, "chosen", printSelect);
  addConversion<arith::ExtUIOp>(language, "wide", 1);
  addConversion<arith::UIToFPOp>(language, "number", 1);
  addConversion<arith::ExtSIOp>(language, "wide", -1);
  addConversion<arith::SIToFPOp>(language, "number", -1);
  wrap<arith::TruncIOp>(language, "narrow", printTruncation);
}

} // namespace formwork::cpp
