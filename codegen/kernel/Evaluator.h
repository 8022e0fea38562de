// The value of a tensor's element, or of a vector of them, at one place of a tile.
//
// A tensor of a kernel is an argument (or a reshape or slice of one), or it has been stored by an
// earlier pass, or accumulators hold it, or it is pointwise and computed where it is read. What is
// the same for all lanes stays a scalar until it meets a vector.
#pragma once

#include "codegen/kernel/Kernel.h"
#include "codegen/kernel/Writer.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

namespace mlir::affine {
class AffineApplyOp;
}

namespace formwork {

/// What a tile spans, as far as places in it depend on that.
struct Tile {
  /// Dimensions of which a tile has but a part; what varies along them only within it.
  Dims outer;
  /// The vector dimension if it is an outer one; otherwise each pass has its own.
  int vectorDim = noDim;
  /// The outer dimension that a tile has several rows of.
  int rowDim = noDim;
  int64_t lanes = 1;
};

/// A place: the index of lane 0 in each dimension of the kernel, and where in the block that is.
struct Point {
  llvm::SmallVector<mlir::Value> at;
  int vectorDim = noDim;
  int64_t lanes = 1;
  mlir::Value mask; // null: all lanes are inside
  mlir::Value row;  // of the block; null: it has but one
  unsigned vector = 0;
  /// Points with the same number, row and vector are the same place.
  unsigned place = 0;
};

/// Where an element of a stored value lies.
struct Storage {
  /// A buffer of the value's own shape; or scratch that holds one tile of it; or registers of a
  /// block: an array [rows][vectors], or [rows][1] of what does not vary along vectors; or `buffer`
  /// is the element itself.
  enum Kind { Buffer, Scratch, Registers, Element } kind = Buffer;
  mlir::Value buffer;
  /// Scratch: the kernel's dimension that each index of the buffer follows.
  Dims dims;
  /// Scratch of many tiles: which of them this is, the buffer's first index.
  mlir::Value tile = nullptr;
  /// Scratch that was filled for several blocks of vectors: the column that it begins with. Without
  /// it scratch is of one block.
  mlir::Value firstColumn = nullptr;
};

class Evaluator {
public:
  /// `hasFMA`: whether a fused multiply-add is an instruction.
  Evaluator(const Kernel &kernel, Writer &writer, bool hasFMA)
      : kernel(kernel), writer(writer), hasFMA(hasFMA) {}

  /// Ops outside any tile: gives each buffer-backed tensor and each scalar its value.
  void bind(mlir::Value tensor, mlir::Value buffer);
  mlir::LogicalResult bindBody(mlir::func::FuncOp function);
  mlir::Value outside(mlir::Value value) const { return bound.lookupOrDefault(value); }

  /// The size of each of the kernel's dimensions.
  void setExtents(llvm::ArrayRef<mlir::Value> values) {
    extents.assign(values.begin(), values.end());
  }
  mlir::Value extent(Dim dim) const { return extents[dim]; }

  /// The tile that is being written.
  void enter(const Tile &next) { tile = &next; }
  void setStorage(mlir::Value value, Storage storage) { stored[value] = std::move(storage); }
  void setPanel(mlir::OpOperand *operand, Storage storage) { panels[operand] = std::move(storage); }
  /// What scratch holds of this dimension begins at `origin`.
  void countFrom(Dim dim, mlir::Value origin) { origins[dim] = origin; }
  void forget(mlir::Value value) { stored.erase(value); }
  void forgetAll() {
    stored.clear(), panels.clear(), known.clear(), countsFrom.clear(), origins.clear();
  }

  /// The element at `access` of a tensor.
  mlir::Value read(mlir::Value tensor, mlir::AffineMap access, const Point &point);
  /// The result of an op that owns it, computed anew even if it is stored.
  mlir::Value compute(mlir::OpResult result, const Point &point);
  /// One step of a reduction: the accumulators after the elements at `point`.
  llvm::SmallVector<mlir::Value> accumulate(mlir::linalg::GenericOp op, const Point &point,
                                            mlir::ValueRange accumulators);
  /// Where the element that `extract`, in the body of an op, reads at `point` lies: scalars if
  /// point is one.
  llvm::SmallVector<mlir::Value> indicesOf(mlir::tensor::ExtractOp extract, const Point &point);
  /// The element at `access` of a buffer that holds a tensor of this type.
  mlir::Value load(mlir::Value buffer, mlir::Type tensor, mlir::AffineMap access,
                   const Point &point);
  /// The array of registers [rows][vectors] at the row and vector of the point.
  mlir::Value load(mlir::Value registers, const Point &point);
  void store(mlir::Value registers, mlir::Value value, const Point &point);
  /// Writes to a buffer or scratch.
  void write(const Storage &storage, mlir::AffineMap access, mlir::Value value, const Point &point);

  /// `element` as what an operand of that element type is along the lanes.
  mlir::Value spread(mlir::Value element, const Point &point);
  mlir::Value combine(mlir::Operation *combiner, mlir::Value a, mlir::Value b);

  mlir::Type memoryType(mlir::Type element) const;
  bool failed() const { return hasFailed; }

private:
  struct Key {
    mlir::Value value;
    mlir::AffineMap access;
    mlir::Value row;
    unsigned place, vector;
    bool operator==(const Key &other) const = default;
  };
  struct KeyInfo {
    static Key getEmptyKey() {
      return {llvm::DenseMapInfo<mlir::Value>::getEmptyKey(), {}, {}, 0, 0};
    }
    static Key getTombstoneKey() {
      return {llvm::DenseMapInfo<mlir::Value>::getTombstoneKey(), {}, {}, 0, 0};
    }
    static unsigned getHashValue(const Key &key) {
      return llvm::hash_combine(key.value, key.access, key.row, key.place, key.vector);
    }
    static bool isEqual(const Key &a, const Key &b) { return a == b; }
  };

  mlir::Value readStored(const Storage &storage, mlir::Value tensor, mlir::AffineMap access,
                         const Point &point);
  mlir::Value readView(mlir::Operation *view, mlir::AffineMap access, const Point &point);
  mlir::Value readPadded(mlir::tensor::PadOp pad, mlir::AffineMap access, const Point &point);
  mlir::Value load(mlir::Value buffer, mlir::Type element, mlir::AffineMap access,
                   llvm::ArrayRef<mlir::Value> indices, const Point &point);
  mlir::Value loadVector(mlir::Value buffer, mlir::Type element,
                         llvm::ArrayRef<mlir::Value> indices, mlir::Value mask, const Point &point);
  mlir::Value laneStride(mlir::Value buffer, mlir::AffineMap access, Dim dim);
  mlir::Value gatherLanes(mlir::Value buffer, mlir::AffineMap access,
                          llvm::ArrayRef<mlir::Value> first, const Point &point);
  mlir::Value loadLanes(mlir::Value buffer, mlir::AffineMap access,
                        llvm::ArrayRef<mlir::Value> first, const Point &point);
  void storeLanes(mlir::Value buffer, mlir::AffineMap access, mlir::Value vector,
                  const Point &point);
  mlir::Value rowOf(const Point &point);
  llvm::SmallVector<mlir::Value> indicesOf(const Storage &storage, mlir::AffineMap access,
                                           const Point &point);
  llvm::SmallVector<mlir::AffineExpr> loopsOf(mlir::linalg::GenericOp op) const;
  mlir::Value readOperand(mlir::OpOperand &operand, llvm::ArrayRef<mlir::AffineExpr> loops,
                          const Point &point);
  void evaluateInner(mlir::Operation &inner, llvm::ArrayRef<mlir::AffineExpr> loops,
                     const Point &point, mlir::IRMapping &values);
  llvm::SmallVector<mlir::Value> evaluate(mlir::linalg::GenericOp op,
                                          llvm::ArrayRef<mlir::AffineExpr> loops,
                                          const Point &point, mlir::ValueRange accumulators);
  llvm::SmallVector<mlir::Value> copy(mlir::Operation &op, const mlir::IRMapping &values,
                                      const Point &point);
  mlir::Value valueOf(mlir::Value value, const mlir::IRMapping &values);
  mlir::Value multiplyAdd(mlir::Operation &sum, mlir::BlockArgument accumulator,
                          const mlir::IRMapping &values, const Point &point);
  mlir::Value firstOf(mlir::Value vector);
  mlir::Value loopIndex(mlir::AffineExpr loop, const Point &point);
  mlir::Value computedIndex(mlir::affine::AffineApplyOp apply,
                            llvm::ArrayRef<mlir::AffineExpr> loops, const Point &point);
  mlir::Value gather(mlir::Value tensor, llvm::ArrayRef<mlir::Value> indices, const Point &point);
  mlir::Value fromMemory(mlir::Value value, mlir::Type element);
  mlir::Value fail(mlir::Operation *op, const llvm::Twine &why);

  const Kernel &kernel;
  Writer &writer;
  bool hasFMA;
  const Tile *tile = nullptr;
  llvm::SmallVector<mlir::Value> extents;
  mlir::IRMapping bound;
  llvm::DenseMap<mlir::Value, Storage> stored;
  llvm::DenseMap<mlir::OpOperand *, Storage> panels;
  llvm::DenseMap<Dim, mlir::Value> origins;
  llvm::DenseMap<Key, mlir::Value, KeyInfo> known;
  /// Index vectors that count up by one from this scalar.
  llvm::DenseMap<mlir::Value, mlir::Value> countsFrom;
  bool hasFailed = false;
};

mlir::VectorType vectorOf(int64_t lanes, mlir::Type element);

} // namespace formwork
