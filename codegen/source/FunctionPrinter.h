// Prints one function: its parameters, then its operations one after the other, by the rules of a
// Language.
//
// Changes no IR and decides nothing about the program. What it decides is what source needs and IR
// has not: names, and which operations are part of the expression that uses them. One that is
// used once, in the same block, moves there, but for one that reads memory where something is
// written between the two.
#pragma once

#include "codegen/source/Language.h"
#include "codegen/source/Names.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/Support/raw_ostream.h"

namespace formwork::source {

/// A memref: where its first element is, and how it lies there.
struct Buffer {
  Expression pointer;
  llvm::SmallVector<Expression> sizes, strides;
  /// Declared with all its dimensions, and accessed by all of them: name[i][j].
  bool isArray = false;
};

/// What functions and globals of a file are called there.
using Symbols = llvm::StringMap<std::string>;

class FunctionPrinter {
public:
  /// `outer` has the names that mean something else already.
  FunctionPrinter(const Language &language, const Symbols &symbols, const Scope &outer,
                  llvm::raw_ostream &os);

  /// `head` is what stands before the parameters: "static void relu". Fails, with an error for
  /// each, if there are ops that cannot be printed.
  /// Parameters that are not used have no names; with `kept` they are left out, and it says of all
  /// parameters which are there.
  mlir::LogicalResult print(mlir::func::FuncOp function, llvm::StringRef head,
                            std::vector<bool> *kept = nullptr);

  //===--- for those who print the frame of a function themselves --------------------------------

  void bind(mlir::Value value, Expression expression) { values[value] = std::move(expression); }
  void bindBuffer(mlir::Value value, Buffer buffer) { buffers[value] = std::move(buffer); }
  /// A dense row-major buffer at `pointer`; `sizes` are those of its `?` dimensions.
  void bindBuffer(mlir::Value value, Expression pointer, llvm::ArrayRef<Expression> sizes);
  /// Declarations of the arguments from `first` on, which get names: a memref's sizes and strides
  /// that are not known follow its pointer.
  llvm::SmallVector<std::string> parameters(mlir::func::FuncOp function, unsigned first = 0);
  /// What is handed over for `values` to a function that takes `types`: as many expressions as
  /// there are parameters.
  llvm::SmallVector<Expression> arguments(mlir::ValueRange values, mlir::TypeRange types);
  /// The operations of a block but for its terminator.
  void statements(mlir::Block &block);
  mlir::LogicalResult result() const { return mlir::failure(failed); }

  //===--- for rules ----------------------------------------------------------------------------

  /// What reads a value. The second form casts integers to the sign asked for.
  Expression use(mlir::Value value);
  Expression use(mlir::Value value, bool isSigned);
  /// Both operands of an operator. One that is the same in all lanes may be a scalar.
  std::pair<Expression, Expression> operands(mlir::Value a, mlir::Value b, bool isSigned = false);
  const Buffer &buffer(mlir::Value value);
  /// The element at `indices`: an lvalue.
  Expression element(mlir::Value buffer, mlir::ValueRange indices);
  /// Its address: "x + i * 64", or "x".
  Expression address(mlir::Value buffer, mlir::ValueRange indices);

  /// A declaration's name for `value`; later uses have it.
  std::string define(mlir::Value value, llvm::StringRef noun, bool isSigned = false);
  /// `const T name = expression;`
  void declare(mlir::Value value, llvm::StringRef noun, const Expression &expression);
  /// A variable that changes, for a value that is carried or yielded; its type by the sign.
  std::string variable(mlir::Value value, llvm::StringRef noun);
  /// Assignments that happen at once: temporaries hold what another one needs.
  void assign(llvm::ArrayRef<std::string> variables, mlir::ValueRange values);
  /// A name like no other in this scope.
  std::string unique(llvm::StringRef name) { return scopes.back()->unique(variableName(name)); }
  /// What a result would be called.
  std::string nounOf(mlir::Value value);

  /// A statement on lines of its own, broken where it is longer than 100 characters.
  void line(llvm::StringRef text);
  void comment(llvm::StringRef text);
  /// A scope begins, whose names are free again after `close`.
  void enter();
  /// `text {`, after `enter`.
  void open(llvm::StringRef text);
  void close(llvm::StringRef end = "}");
  /// `} else {`: the end of a scope and the beginning of the next.
  void reopen(llvm::StringRef text);
  void indent() { ++indentation; }
  void dedent() { --indentation; }
  unsigned loopDepth = 0;

  std::string type(mlir::Value value, bool isSigned = false);
  const Language &getLanguage() const { return language; }
  llvm::StringRef symbol(llvm::StringRef name) const;
  void fail(mlir::Operation *op, const llvm::Twine &why);

private:
  void chooseInlined(mlir::Block &block);
  bool reads(mlir::Value value, llvm::StringRef variable);
  Expression offset(const Buffer &buffer, mlir::ValueRange indices);

  const Language &language;
  const Symbols &symbols;
  llvm::raw_ostream &os;
  std::vector<std::unique_ptr<Scope>> scopes;
  llvm::DenseMap<mlir::Value, Expression> values;
  llvm::DenseMap<mlir::Value, Buffer> buffers;
  llvm::DenseSet<mlir::Operation *> inlined;
  unsigned indentation = 0;
  bool failed = false;
};

/// Whether `word` stands in `text` by itself.
bool hasWord(llvm::StringRef text, llvm::StringRef word);

/// Whether anything is written through `buffer`, in the function it is an argument of or by one
/// that is called there.
bool isWritten(mlir::Value buffer);

/// Sizes and strides of a memref that are handed over beside its pointer.
struct DynamicShape {
  llvm::SmallVector<unsigned> sizes, strides;
  explicit DynamicShape(mlir::MemRefType type);
};

/// The rules of the core, each file's own.
void addArithmeticRules(Language &language);
void addMemoryRules(Language &language);
void addControlRules(Language &language);

/// Of a value that is a size or an index: whether it cannot be negative.
bool isNonNegative(mlir::Value value);

} // namespace formwork::source
