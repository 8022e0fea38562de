// Parentheses: as few as the language needs, and those that -Wparentheses wants.
#include "codegen/source/Expression.h"

#include "llvm/ADT/StringExtras.h"

using namespace llvm;

namespace formwork::source {

Expression integer(int64_t value) {
  // The least has no literal: its digits are those of a number too large.
  if (value == INT64_MIN)
    return {"INT64_MIN", Precedence::Primary, true, value};
  return {std::to_string(value), value < 0 ? Precedence::Unary : Precedence::Primary, true, value};
}

std::string within(const Expression &expression, Precedence least) {
  return expression.precedence < least ? "(" + expression.text + ")" : expression.text;
}

/// What operands must bind like, where the operator itself would let them bind less.
static Precedence operandsOf(Precedence precedence) {
  switch (precedence) {
  case Precedence::LogicalOr:
  case Precedence::LogicalAnd:
    return Precedence::Comparison;
  case Precedence::BitOr:
  case Precedence::BitXor:
  case Precedence::BitAnd:
  case Precedence::Shift:
    return Precedence::Unary;
  case Precedence::Comparison:
    return Precedence::Additive;
  default:
    return Precedence(int(precedence) + 1);
  }
}

/// Whether `a op b` may stand to the left of another `op` as it is: they group to the left.
static bool chains(Precedence precedence) {
  return precedence != Precedence::Comparison && precedence != Precedence::Shift;
}

Expression binary(const Expression &a, StringRef op, const Expression &b, Precedence precedence) {
  Precedence operand = operandsOf(precedence);
  bool bare = chains(precedence) && a.precedence == precedence;
  return {(Twine(bare ? a.text : within(a, operand)) + " " + op + " " + within(b, operand)).str(),
          precedence, a.isSigned && b.isSigned};
}

Expression unary(StringRef op, const Expression &a) {
  return {(op + within(a, Precedence::Primary)).str(), Precedence::Unary, a.isSigned};
}

Expression call(StringRef function, ArrayRef<Expression> arguments) {
  auto text = [](const Expression &argument) { return argument.text; };
  return {(function + "(" + join(map_range(arguments, text), ", ") + ")").str()};
}

Expression conditional(const Expression &condition, const Expression &then,
                       const Expression &otherwise) {
  return {within(condition, Precedence::LogicalOr) + " ? " + within(then, Precedence::LogicalOr) +
              " : " + within(otherwise, Precedence::LogicalOr),
          Precedence::Conditional, then.isSigned && otherwise.isSigned};
}

Expression sum(const Expression &a, const Expression &b) {
  if (a.constant && b.constant)
    return integer(*a.constant + *b.constant);
  if (a.is(0))
    return b;
  if (b.is(0))
    return a;
  if (b.constant && *b.constant < 0 && *b.constant != INT64_MIN)
    return binary(a, "-", integer(-*b.constant), Precedence::Additive);
  return binary(a, "+", b, Precedence::Additive);
}

Expression product(const Expression &a, const Expression &b) {
  if (a.constant && b.constant)
    return integer(*a.constant * *b.constant);
  if (a.is(0) || b.is(1))
    return a;
  if (b.is(0) || a.is(1))
    return b;
  return binary(a, "*", b, Precedence::Multiplicative);
}

} // namespace formwork::source
