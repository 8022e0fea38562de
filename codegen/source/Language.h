// What a target's printer knows: how each type is declared and how each op is written.
//
// A table with a rule per op. The core's rules cover func, arith, math, memref and scf over
// scalars; a target adds its own, or replaces the core's. An op without a rule is an error, never
// skipped.
#pragma once

#include "codegen/source/Expression.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/StringMap.h"

#include <functional>

namespace formwork::source {

class FunctionPrinter;

/// How an op is printed: as an expression, which may become part of a larger one, or as statements
/// of its own, which may define names, bind buffers or print nothing.
struct Rule {
  std::function<Expression(mlir::Operation *, FunctionPrinter &)> expression;
  std::function<void(mlir::Operation *, FunctionPrinter &)> statement;
  /// What a variable that holds the result is called, unless the op has a better name: "sum".
  std::string noun;
  /// Costs nothing and never has a name: each use says it again, of an operand that has one.
  bool isRepeated = false;
};

class Language {
public:
  /// Has the rules of the core.
  Language();
  virtual ~Language() = default;

  /// How a value is declared: "float", "int64_t"; empty if there is no such type. `isSigned`
  /// decides for integers.
  virtual std::string type(mlir::Type type, bool isSigned) const;
  /// What is called to make a number another type's, or an integer one with a sign or without.
  virtual std::string conversion(mlir::Type to, bool toSigned) const { return type(to, toSigned); }
  /// The scalar that all lanes of a vector are, if there is one that operators take in its place.
  virtual std::optional<Expression> scalarOf(mlir::Value value, bool isSigned,
                                             FunctionPrinter &printer) const {
    return std::nullopt;
  }
  /// How a function takes a value.
  virtual std::string parameterType(mlir::Type type, bool isSigned) const {
    return this->type(type, isSigned) + " ";
  }
  /// How an element is declared in memory: a boolean is a byte, an integer has a sign.
  virtual std::string elementType(mlir::Type type) const;
  /// What computes `name` of <math.h>, or bit_cast, min and max: "sqrtf" of floats in C.
  virtual std::string function(llvm::StringRef name, mlir::Type type) const;
  /// Between `*` and the name of a pointer through which alone its buffer is reached.
  virtual std::string restricted() const { return "__restrict"; }
  /// The line before a loop of which `count` iterations are to be run at once.
  virtual std::string unroll(int64_t count) const;
  /// A declaration of `name` as an array, without initializer: "float name[8][2]".
  virtual std::string array(mlir::MemRefType type, llvm::StringRef name,
                            std::optional<int64_t> alignment, bool flat) const;
  /// Language's own name, for diagnostics: "C++".
  virtual llvm::StringRef name() const { return "C++"; }

  const Rule *find(mlir::Operation *op) const { return find(op->getName().getStringRef()); }
  const Rule *find(llvm::StringRef op) const {
    auto rule = rules.find(op);
    return rule == rules.end() ? nullptr : &rule->second;
  }

  template <typename Op>
  void expression(llvm::StringRef noun, std::function<Expression(Op, FunctionPrinter &)> print) {
    rules[Op::getOperationName()] = {[print](mlir::Operation *op, FunctionPrinter &printer) {
                                       return print(mlir::cast<Op>(op), printer);
                                     },
                                     nullptr, noun.str(), false};
  }
  template <typename Op> void statement(std::function<void(Op, FunctionPrinter &)> print) {
    rules[Op::getOperationName()] = {nullptr,
                                     [print](mlir::Operation *op, FunctionPrinter &printer) {
                                       print(mlir::cast<Op>(op), printer);
                                     },
                                     "", false};
  }
  void repeat(llvm::StringRef op) { rules[op].isRepeated = true; }

  /// What is printed by the op around it.
  void terminator(llvm::StringRef name) {
    rules[name] = {nullptr, [](mlir::Operation *, FunctionPrinter &) {}, "", false};
  }

private:
  llvm::StringMap<Rule> rules;
};

} // namespace formwork::source
