// Text of a C++ expression with what is needed to put it into a larger one: how tightly it binds,
// and whether an integer is signed there.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <optional>
#include <string>

namespace formwork::source {

/// From what binds least to what binds most.
enum class Precedence {
  Conditional,
  LogicalOr,
  LogicalAnd,
  BitOr,
  BitXor,
  BitAnd,
  Comparison,
  Shift,
  Additive,
  Multiplicative,
  Unary,
  Primary
};

struct Expression {
  std::string text;
  Precedence precedence = Precedence::Primary;
  /// Of integers: IR's have no sign, C++'s have. Those of memory, sizes and indices are signed;
  /// what is computed is unsigned, so that it wraps around.
  bool isSigned = false;
  /// The number that a size or an index is, if that is known.
  std::optional<int64_t> constant = std::nullopt;

  bool is(int64_t value) const { return constant && *constant == value; }
};

/// A signed constant.
Expression integer(int64_t value);

/// The text, in parentheses where it binds less than `least`.
std::string within(const Expression &expression, Precedence least);

/// `a op b`, with parentheses where they are needed or where compilers ask for them.
Expression binary(const Expression &a, llvm::StringRef op, const Expression &b,
                  Precedence precedence);
Expression unary(llvm::StringRef op, const Expression &a);
Expression call(llvm::StringRef function, llvm::ArrayRef<Expression> arguments);
Expression conditional(const Expression &condition, const Expression &then,
                       const Expression &otherwise);

/// Of sizes and indices: constants are added and multiplied here and now.
Expression sum(const Expression &a, const Expression &b);
Expression product(const Expression &a, const Expression &b);

} // namespace formwork::source
