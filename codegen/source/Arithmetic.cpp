// Rules for arith and math. They hold for scalars, and for vectors of a target whose vectors have
// the operators of scalars.
//
// Integers wrap around: they are computed without a sign, and cast where an op gives them one.
// Sizes and indices never overflow and keep theirs.
#include "codegen/source/FunctionPrinter.h"
#include "codegen/source/Literals.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;

namespace formwork::source {

using P = Precedence;
using Printer = FunctionPrinter;

//===--- sizes and indices -----------------------------------------------------------------------

static bool isNonNegative(Value value, unsigned depth) {
  if (depth == 0)
    return false;
  auto known = [&](Value operand) { return isNonNegative(operand, depth - 1); };
  APInt constant;
  if (matchPattern(value, m_ConstantInt(&constant)))
    return !constant.isNegative();
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    Operation *parent = argument.getOwner()->getParentOp();
    // Functions are called with sizes and with numbers of chunks.
    if (isa<func::FuncOp>(parent))
      return true;
    auto loop = dyn_cast<scf::ForOp>(parent);
    return loop && argument == loop.getInductionVar() && known(loop.getLowerBound());
  }
  Operation *op = value.getDefiningOp();
  if (isa<memref::DimOp, gpu::ThreadIdOp, gpu::BlockIdOp>(op))
    return true;
  if (isa<arith::AddIOp, arith::MulIOp, arith::DivUIOp, arith::RemUIOp, arith::DivSIOp,
          arith::RemSIOp, arith::CeilDivUIOp, arith::CeilDivSIOp, arith::MinSIOp, arith::MinUIOp,
          arith::MaxUIOp>(op))
    return llvm::all_of(op->getOperands(), known);
  if (isa<arith::MaxSIOp, arith::AndIOp>(op))
    return llvm::any_of(op->getOperands(), known);
  if (auto select = dyn_cast<arith::SelectOp>(op))
    return known(select.getTrueValue()) && known(select.getFalseValue());
  return false;
}

bool isNonNegative(Value value) {
  return value.getType().isIndex() && isNonNegative(value, /*depth=*/8);
}

//===--- integers --------------------------------------------------------------------------------

static Type elementOf(Value value) { return getElementTypeOrSelf(value.getType()); }

/// The narrow ones are computed as int.
static Expression narrowed(Value result, Expression expression, Printer &printer) {
  if (!result.getType().isInteger(8) && !result.getType().isInteger(16))
    return expression;
  return call(printer.getLanguage().type(result.getType(), false), {expression});
}

static bool isBool(Value value) { return elementOf(value).isInteger(1); }
static bool isIndex(Value value) { return elementOf(value).isIndex(); }

/// An operator on patterns of bits, or on sizes.
template <typename Op>
static void addInteger(Language &language, StringRef noun, StringRef symbol, P precedence) {
  std::string spelled = symbol.str();
  language.expression<Op>(noun, [=](Op op, Printer &printer) {
    Value a = op->getOperand(0), b = op->getOperand(1);
    bool isSigned = isIndex(a);
    auto [left, right] = printer.operands(a, b, isSigned);
    if (isSigned && spelled == "+")
      return sum(left, right);
    if (isSigned && spelled == "*")
      return product(left, right);
    return narrowed(op->getResult(0), binary(left, spelled, right, precedence), printer);
  });
}

/// The same, but of booleans in the logical form, which scalars have.
template <typename Op>
static void addBitwise(Language &language, StringRef noun, StringRef symbol, StringRef logical,
                       P precedence, P logicalPrecedence) {
  std::string spelled = symbol.str(), forBool = logical.str();
  language.expression<Op>(noun, [=](Op op, Printer &printer) {
    Value a = op->getOperand(0), b = op->getOperand(1);
    if (a.getType().isInteger(1)) {
      APInt constant;
      if (isa<arith::XOrIOp>(op) && matchPattern(b, m_ConstantInt(&constant)) && constant.isOne())
        return unary("!", printer.use(a));
      return binary(printer.use(a), forBool, printer.use(b), logicalPrecedence);
    }
    auto [left, right] = printer.operands(a, b, isIndex(a));
    return binary(left, spelled, right, precedence);
  });
}

/// Division, where the sign counts.
template <typename Op>
static void addDivision(Language &language, StringRef noun, StringRef symbol, bool isSigned) {
  std::string spelled = symbol.str();
  language.expression<Op>(noun, [=](Op op, Printer &printer) {
    Expression a = printer.use(op.getLhs(), isSigned), b = printer.use(op.getRhs(), isSigned);
    return narrowed(op.getResult(), binary(a, spelled, b, P::Multiplicative), printer);
  });
}

static void addCeilingDivision(Language &language) {
  language.expression<arith::CeilDivUIOp>("count", [](arith::CeilDivUIOp op, Printer &printer) {
    Expression a = printer.use(op.getLhs(), false), b = printer.use(op.getRhs(), false);
    Expression rounded = isIndex(op.getLhs())
                             ? sum(a, sum(b, integer(-1)))
                             : binary(binary(a, "+", b, P::Additive), "-", {"1"}, P::Additive);
    return binary(rounded, "/", b, P::Multiplicative);
  });
}

template <typename Op>
static void addExtremum(Language &language, StringRef noun, StringRef function, bool isSigned) {
  std::string name = function.str();
  language.expression<Op>(noun, [=](Op op, Printer &printer) {
    Type type = op.getType();
    bool given = isSigned || type.isIndex();
    Expression a = printer.use(op.getLhs(), given), b = printer.use(op.getRhs(), given);
    std::string spelled = printer.getLanguage().function(name, type);
    if (type.isInteger())
      spelled += "<" + printer.getLanguage().type(type, given) + ">";
    Expression result = call(spelled, {a, b});
    result.isSigned = given;
    return result;
  });
}

template <typename Op> static void addShift(Language &language, StringRef symbol, bool isSigned) {
  std::string spelled = symbol.str();
  language.expression<Op>("bits", [=](Op op, Printer &printer) {
    bool given = isSigned || isIndex(op.getLhs());
    auto [shifted, distance] = printer.operands(op.getLhs(), op.getRhs(), given);
    Expression result = binary(shifted, spelled, distance, P::Shift);
    result.isSigned = given;
    return narrowed(op.getResult(), result, printer);
  });
}

static Expression printCompare(arith::CmpIOp op, Printer &printer) {
  using Predicate = arith::CmpIPredicate;
  auto [symbol, isSigned] = [&]() -> std::pair<StringRef, bool> {
    switch (op.getPredicate()) {
    case Predicate::eq:
      return {"==", false};
    case Predicate::ne:
      return {"!=", false};
    case Predicate::slt:
      return {"<", true};
    case Predicate::sle:
      return {"<=", true};
    case Predicate::sgt:
      return {">", true};
    case Predicate::sge:
      return {">=", true};
    case Predicate::ult:
      return {"<", false};
    case Predicate::ule:
      return {"<=", false};
    case Predicate::ugt:
      return {">", false};
    case Predicate::uge:
      return {">=", false};
    }
    llvm_unreachable("a predicate");
  }();
  bool equality = symbol == "==" || symbol == "!=";
  // Any sign will do where both have it.
  if (equality && !matchPattern(op.getLhs(), m_Constant()))
    isSigned = printer.use(op.getLhs()).isSigned &&
               (printer.use(op.getRhs()).isSigned || matchPattern(op.getRhs(), m_Constant()));
  auto [a, b] = printer.operands(op.getLhs(), op.getRhs(), isSigned);
  return binary(a, symbol, b, P::Comparison);
}

static Expression printSelect(arith::SelectOp op, Printer &printer) {
  Expression a = printer.use(op.getTrueValue()), b = printer.use(op.getFalseValue());
  if (a.isSigned != b.isSigned)
    a = printer.use(op.getTrueValue(), false), b = printer.use(op.getFalseValue(), false);
  return conditional(printer.use(op.getCondition()), a, b);
}

/// `T(x)`, read with a sign or without.
template <typename Op>
static void addCast(Language &language, StringRef noun, bool fromSigned, bool toSigned) {
  language.expression<Op>(noun, [=](Op op, Printer &printer) {
    Expression from = printer.use(op->getOperand(0), fromSigned);
    Type to = op->getResult(0).getType();
    Expression cast = call(printer.getLanguage().conversion(to, toSigned), {from});
    cast.isSigned = toSigned;
    return cast;
  });
}

static Expression printTruncation(arith::TruncIOp op, Printer &printer) {
  Expression from = printer.use(op.getIn(), false);
  if (op.getType().isInteger(1))
    return binary(binary(from, "&", {"1u"}, P::BitAnd), "!=", {"0u"}, P::Comparison);
  return call(printer.getLanguage().conversion(op.getType(), false), {from});
}

/// Between sizes and integers: the same number where it fits.
static Expression printIndexCast(arith::IndexCastOp op, Printer &printer) {
  Expression from = printer.use(op.getIn(), true);
  if (isBool(op.getIn()))
    return binary({"0"}, "-", call(printer.type(op.getOut(), true), {from}), P::Additive);
  // Most languages have sizes of 64 bits.
  if (printer.type(op.getIn(), true) == printer.type(op.getOut(), true))
    return from;
  Expression cast = call(printer.getLanguage().conversion(op.getType(), true), {from});
  cast.isSigned = true;
  return cast;
}

/// The upper and the lower half of a product: of 32 bits by way of 64, of 64 by a helper.
static void printWideProduct(arith::MulUIExtendedOp op, Printer &printer) {
  Value low = op.getLow(), high = op.getHigh();
  Expression a = printer.use(op.getLhs(), false), b = printer.use(op.getRhs(), false);
  if (!low.use_empty())
    printer.declare(low, "low", binary(a, "*", b, P::Multiplicative));
  if (!high.use_empty())
    printer.declare(high, "high",
                    call(printer.getLanguage().function("multiply_high", low.getType()), {a, b}));
}

static void addIntegerRules(Language &language) {
  addInteger<arith::AddIOp>(language, "sum", "+", P::Additive);
  addInteger<arith::SubIOp>(language, "difference", "-", P::Additive);
  addInteger<arith::MulIOp>(language, "product", "*", P::Multiplicative);
  addBitwise<arith::AndIOp>(language, "both", "&", "&&", P::BitAnd, P::LogicalAnd);
  addBitwise<arith::OrIOp>(language, "either", "|", "||", P::BitOr, P::LogicalOr);
  addBitwise<arith::XOrIOp>(language, "mixed", "^", "!=", P::BitXor, P::Comparison);
  addDivision<arith::DivSIOp>(language, "quotient", "/", true);
  addDivision<arith::DivUIOp>(language, "quotient", "/", false);
  addDivision<arith::RemSIOp>(language, "remainder", "%", true);
  addDivision<arith::RemUIOp>(language, "remainder", "%", false);
  addCeilingDivision(language);
  addExtremum<arith::MinSIOp>(language, "least", "min", true);
  addExtremum<arith::MaxSIOp>(language, "most", "max", true);
  addExtremum<arith::MinUIOp>(language, "least", "min", false);
  addExtremum<arith::MaxUIOp>(language, "most", "max", false);
  addShift<arith::ShLIOp>(language, "<<", false);
  addShift<arith::ShRUIOp>(language, ">>", false);
  addShift<arith::ShRSIOp>(language, ">>", true);
  language.expression<arith::CmpIOp>("holds", printCompare);
  language.expression<arith::SelectOp>("chosen", printSelect);
  addCast<arith::ExtSIOp>(language, "wide", true, true);
  addCast<arith::ExtUIOp>(language, "wide", false, false);
  addCast<arith::SIToFPOp>(language, "number", true, false);
  addCast<arith::UIToFPOp>(language, "number", false, false);
  addCast<arith::FPToSIOp>(language, "whole", false, true);
  addCast<arith::FPToUIOp>(language, "whole", false, false);
  language.expression<arith::TruncIOp>("narrow", printTruncation);
  language.expression<arith::IndexCastOp>("size", printIndexCast);
  language.statement<arith::MulUIExtendedOp>(printWideProduct);
}

//===--- floats ----------------------------------------------------------------------------------

template <typename Op>
static void addFloat(Language &language, StringRef noun, StringRef symbol, P precedence) {
  std::string spelled = symbol.str();
  language.expression<Op>(noun, [=](Op op, Printer &printer) {
    auto [a, b] = printer.operands(op.getLhs(), op.getRhs());
    return binary(a, spelled, b, precedence);
  });
}

/// A function of <math.h>, or the helper of that name.
template <typename Op>
static void addFunction(Language &language, StringRef noun, StringRef function) {
  std::string name = function.str();
  language.expression<Op>(noun, [=](Op op, Printer &printer) {
    SmallVector<Expression> arguments;
    for (Value operand : op->getOperands())
      arguments.push_back(printer.use(operand));
    return call(printer.getLanguage().function(name, op->getResult(0).getType()), arguments);
  });
}

/// With NaN on either side an ordered comparison fails and an unordered one holds.
static Expression printFloatCompare(arith::CmpFOp op, Printer &printer) {
  using Predicate = arith::CmpFPredicate;
  // (A structured binding cannot be captured.)
  auto both = printer.operands(op.getLhs(), op.getRhs());
  Expression a = both.first, b = both.second;
  bool scalar = op.getType().isInteger(1);
  auto compare = [&](StringRef symbol) { return binary(a, symbol, b, P::Comparison); };
  auto negated = [&](StringRef symbol) { return unary(scalar ? "!" : "~", compare(symbol)); };
  auto joined = [&](Expression x, StringRef logical, Expression y) {
    bool isOr = logical == "||";
    return scalar ? binary(x, logical, y, isOr ? P::LogicalOr : P::LogicalAnd)
                  : binary(x, isOr ? "|" : "&", y, isOr ? P::BitOr : P::BitAnd);
  };
  switch (op.getPredicate()) {
  case Predicate::OEQ:
    return compare("==");
  case Predicate::OGT:
    return compare(">");
  case Predicate::OGE:
    return compare(">=");
  case Predicate::OLT:
    return compare("<");
  case Predicate::OLE:
    return compare("<=");
  case Predicate::ONE:
    return joined(compare("<"), "||", compare(">"));
  case Predicate::UEQ:
    return unary(scalar ? "!" : "~", joined(compare("<"), "||", compare(">")));
  case Predicate::UGT:
    return negated("<=");
  case Predicate::UGE:
    return negated("<");
  case Predicate::ULT:
    return negated(">=");
  case Predicate::ULE:
    return negated(">");
  case Predicate::UNE:
    return compare("!=");
  case Predicate::ORD:
    return joined(binary(a, "==", a, P::Comparison), "&&", binary(b, "==", b, P::Comparison));
  case Predicate::UNO:
    return joined(binary(a, "!=", a, P::Comparison), "||", binary(b, "!=", b, P::Comparison));
  default:
    printer.fail(op, "a comparison that always holds or never");
    return {"false"};
  }
}

static Expression printBitcast(arith::BitcastOp op, Printer &printer) {
  std::string name =
      printer.getLanguage().function("bit_cast", IntegerType::get(op.getContext(), 32));
  return call(name + "<" + printer.type(op.getOut(), false) + ">",
              {printer.use(op.getIn(), false)});
}

static void addFloatRules(Language &language) {
  addFloat<arith::AddFOp>(language, "sum", "+", P::Additive);
  addFloat<arith::SubFOp>(language, "difference", "-", P::Additive);
  addFloat<arith::MulFOp>(language, "product", "*", P::Multiplicative);
  addFloat<arith::DivFOp>(language, "quotient", "/", P::Multiplicative);
  language.expression<arith::NegFOp>("negated", [](arith::NegFOp op, Printer &printer) {
    return unary("-", printer.use(op.getOperand()));
  });
  language.expression<arith::CmpFOp>("holds", printFloatCompare);
  language.expression<arith::BitcastOp>("bits", printBitcast);
  addCast<arith::ExtFOp>(language, "wide", false, false);
  addCast<arith::TruncFOp>(language, "narrow", false, false);
  addFunction<arith::RemFOp>(language, "remainder", "fmod");
  addFunction<arith::MaxNumFOp>(language, "most", "maximum_number");
  addFunction<arith::MinNumFOp>(language, "least", "minimum_number");
  addFunction<arith::MaximumFOp>(language, "most", "maximum");
  addFunction<arith::MinimumFOp>(language, "least", "minimum");
  addFunction<math::FmaOp>(language, "sum", "fma");
  addFunction<math::SqrtOp>(language, "root", "sqrt");
  addFunction<math::AbsFOp>(language, "magnitude", "fabs");
  addFunction<math::FloorOp>(language, "whole", "floor");
  addFunction<math::CeilOp>(language, "whole", "ceil");
  addFunction<math::TruncOp>(language, "whole", "trunc");
  addFunction<math::RoundOp>(language, "whole", "round");
  addFunction<math::RoundEvenOp>(language, "whole", "rint");
  addFunction<math::CopySignOp>(language, "signed_value", "copysign");
}

//===--- constants -------------------------------------------------------------------------------

static Expression printConstant(arith::ConstantOp op, Printer &printer) {
  if (auto number = dyn_cast<FloatAttr>(op.getValue()))
    return floatLiteral(number.getValue());
  if (auto number = dyn_cast<IntegerAttr>(op.getValue()))
    return number.getType().isIndex() ? integer(number.getInt())
                                      : integerLiteral(number.getValue(), /*isSigned=*/false);
  printer.fail(op, "a constant that cannot be printed");
  return {"0"};
}

void addArithmeticRules(Language &language) {
  addIntegerRules(language);
  addFloatRules(language);
  language.expression<arith::ConstantOp>("constant", printConstant);
}

} // namespace formwork::source
