// Writes ops and never the same one twice: what folds is folded, and an op equal to one that
// dominates the insertion point is that one.
//
// Loads count as equal too. That is sound because a tile reads all it needs of a place before it
// writes there, and never reads it again as something else.
#pragma once

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/DenseSet.h"

namespace formwork {

/// Of an scf.for: so many iterations are to be run at once.
inline constexpr llvm::StringLiteral unrollAttr = "fw.unroll";
/// What printers call the counter of an scf.for, or an array; and what they say above a loop.
inline constexpr llvm::StringLiteral nameAttr = "fw.name";
inline constexpr llvm::StringLiteral commentAttr = "fw.comment";

/// What a loop is besides what it computes.
struct LoopStyle {
  /*implicit*/ LoopStyle(int64_t unroll = 1, llvm::StringRef name = "", std::string comment = "")
      : unroll(unroll), name(name), comment(std::move(comment)) {}
  int64_t unroll;       // iterations to be run at once
  llvm::StringRef name; // of the counter, in printed source; empty: i, j, k
  std::string comment;  // above it, in printed source
};

class Writer {
public:
  using LoopBody =
      llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value iv, mlir::ValueRange carried)>;

  explicit Writer(mlir::ImplicitLocOpBuilder &builder) : builder(builder), scopes(1) {}

  template <typename Op, typename... Args> mlir::Value make(Args &&...args) {
    return unique(builder.createOrFold<Op>(std::forward<Args>(args)...));
  }
  /// An op of one result, given generically.
  mlir::Value make(mlir::OperationState &state);
  /// `op` with its operands as `values` has them, its results added there.
  void clone(mlir::Operation &op, mlir::IRMapping &values);

  mlir::Value index(int64_t value);
  mlir::Value add(mlir::Value a, int64_t b);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value minimum(mlir::Value a, mlir::Value b);
  /// An affine expression of `dims`, as arithmetic.
  mlir::Value expression(mlir::AffineExpr expression, llvm::ArrayRef<mlir::Value> dims);

  /// scf.for with carried values; none at all where constants say it runs never or once.
  llvm::SmallVector<mlir::Value> loop(mlir::Value from, mlir::Value to, int64_t step,
                                      mlir::ValueRange carried, LoopBody body,
                                      LoopStyle style = {});
  /// A loop over a block's rows, to be unrolled as a whole. What does not depend on the row is
  /// written before it.
  void rows(int64_t from, int64_t to, llvm::function_ref<void(mlir::Value row)> body,
            llvm::StringRef comment = "");
  void rows(int64_t count, llvm::function_ref<void(mlir::Value row)> body,
            llvm::StringRef comment = "") {
    rows(0, count, body, comment);
  }
  /// scf.if that carries values; only the branch taken where the condition is constant.
  llvm::SmallVector<mlir::Value>
  branch(mlir::Value condition, mlir::TypeRange types,
         llvm::function_ref<llvm::SmallVector<mlir::Value>()> then,
         llvm::function_ref<llvm::SmallVector<mlir::Value>()> otherwise);

  mlir::ImplicitLocOpBuilder &builder;

private:
  struct Equality : llvm::DenseMapInfo<mlir::Operation *> {
    static unsigned getHashValue(const mlir::Operation *op);
    static bool isEqual(const mlir::Operation *a, const mlir::Operation *b);
  };
  struct Scope {
    llvm::DenseSet<mlir::Operation *, Equality> known;
    mlir::scf::ForOp rows; // whose body this is; null in any other loop or branch
  };

  mlir::Value unique(mlir::Value value);

  llvm::SmallVector<Scope> scopes;
};

/// The constant that a value is, if it is one.
std::optional<int64_t> constantOf(mlir::Value value);

} // namespace formwork
