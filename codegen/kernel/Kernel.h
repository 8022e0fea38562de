// A kernel as scheduling sees it: its structured ops over common loop dimensions.
//
// Each op has loops of its own. Where an op reads what another computes, the loops that run over
// the same dimension of that tensor are one dimension of the kernel. All indexing maps are given in
// the kernel's dimensions.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/EquivalenceClasses.h"

namespace formwork {

using Dim = unsigned;
using Dims = llvm::SmallVector<Dim>;

constexpr int noDim = -1;

class Kernel {
public:
  /// Brings the body into the form that the rest expects: every structured op a linalg.generic, and
  /// every result computed by one.
  static mlir::LogicalResult normalize(mlir::func::FuncOp function);

  /// Normalizes each kernel within `scope` and hands it to `schedule`, up to the first that fails:
  /// of that it is said in which kernel it was.
  static mlir::LogicalResult
  forEach(mlir::Operation *scope,
          llvm::function_ref<mlir::LogicalResult(mlir::func::FuncOp)> schedule);

  explicit Kernel(mlir::func::FuncOp function);

  /// Structured ops, in the order of the body.
  llvm::ArrayRef<mlir::linalg::GenericOp> getOps() const { return ops; }

  /// Sizes of the kernel's dimensions; ShapedType::kDynamic if not known.
  int64_t size(Dim dim) const { return sizes[dim]; }
  unsigned dimCount() const { return sizes.size(); }
  bool isStatic(Dim dim) const { return !mlir::ShapedType::isDynamic(sizes[dim]); }

  llvm::ArrayRef<Dim> loops(mlir::linalg::GenericOp op) const { return loopsOf.find(op)->second; }
  Dims parallel(mlir::linalg::GenericOp op) const;
  Dims reduced(mlir::linalg::GenericOp op) const;
  /// Indices at which `op` accesses an operand, or writes a result.
  mlir::AffineMap access(mlir::OpOperand &operand) const;
  mlir::AffineMap access(mlir::OpResult result) const;

  /// What the function returns, traced through reshapes and insertions to what computes it.
  struct Output {
    mlir::Value value; // a result of a structured op
    unsigned position; // of the function's results
    /// From the returned value to `value`: reshapes and insertions to take back on the buffer.
    llvm::SmallVector<mlir::Operation *> path;
  };
  llvm::ArrayRef<Output> getOutputs() const { return outputs; }
  bool isOutput(mlir::Value value) const;

  mlir::func::FuncOp getFunction() const { return function; }

private:
  void unifyLoops();
  void findOutputs();

  mlir::func::FuncOp function;
  llvm::SmallVector<mlir::linalg::GenericOp> ops;
  llvm::DenseMap<mlir::Operation *, Dims> loopsOf;
  llvm::SmallVector<int64_t> sizes;
  std::vector<Output> outputs;
};

/// A set of dimensions is small: these read better than iterators.
bool contains(llvm::ArrayRef<Dim> dims, Dim dim);
Dims without(llvm::ArrayRef<Dim> dims, llvm::ArrayRef<Dim> others);

/// How consecutive indices of a dimension step through a row-major tensor.
enum class Step { None, Unit, Strided };
Step stepOf(mlir::AffineMap access, Dim dim);
/// Whether any index depends on `dim`.
bool dependsOn(mlir::AffineMap access, Dim dim);

bool isReduction(mlir::linalg::GenericOp op);
/// acc + a * b, the product used once.
bool isMultiplyAdd(mlir::linalg::GenericOp op);
/// The op that combines a single accumulator with new elements, if the body's last op is one that
/// may be reordered.
mlir::Operation *combinerOf(mlir::linalg::GenericOp op);

} // namespace formwork
