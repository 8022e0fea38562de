// Writes a group in the form of tiles.
#pragma once

#include "codegen/cuda/Writing.h"

namespace formwork::cuda {

class TileWriter : public GroupWriter {
public:
  TileWriter(Writing &state, const Group &group)
      : GroupWriter(state, group), tiles(*group.tiles), shape(tiles.shape) {}
  mlir::Value blocks() override;
  void write(mlir::Value block) override;

private:
  /// An operand's side of the tile.
  struct Side {
    mlir::OpOperand *operand;
    llvm::ArrayRef<Dim> dims;
    int64_t size;       // of the tile, along it
    mlir::Value first;  // the tile's first row or column
    mlir::Value memory; // slices, [depth][size] from `base` on, padded
    mlir::Value base;
    int64_t threadSize; // of a thread's part
    mlir::Value thread; // the thread's number along it
    bool isLeft;
  };

  /// Slices in `memory` from element `from` on, the left operand's first.
  Side leftSide(mlir::OpOperand *operand, mlir::Value memory, mlir::Value from);
  Side rightSide(mlir::OpOperand *operand, mlir::Value memory, mlir::Value from);
  mlir::Value startSums(const Contraction &product, const Values &at);
  void sum(const Contraction &product, const Values &at);
  void sumSlices(const Contraction &product, const Values &at, mlir::Value sums);
  void sumAhead(const Contraction &product, const Values &at, mlir::Value sums);
  void fetch(const Contraction &product, const Side &side, const Values &at, mlir::Value slice);
  void put(mlir::Value value, mlir::Value inside, mlir::Value memory, mlir::Value where);
  void multiply(const Side &left, const Side &right, mlir::Value sums);
  void multiplyInWarps(const Side &left, const Side &right, mlir::Value sums);
  mlir::Value roundedTo(mlir::Value value);
  mlir::Value fragment(const Side &side, mlir::Value step);
  mlir::Value within(const Side &side, mlir::Value number);
  void
  forEachSum(const Values &at,
             llvm::function_ref<void(const Values &at, mlir::Value row, mlir::Value column)> body);
  void finish(const Values &at);
  mlir::Value numberOf(const Side &side, mlir::Value i);
  mlir::Value slotOf(const Side &side, mlir::Value step, mlir::Value number);
  Values placeOf(mlir::Value i, mlir::Value j);
  int64_t padding() const;
  int64_t sliceElements() const {
    return shape.depth * (shape.rows + shape.columns + 2 * padding());
  }

  const Tiles &tiles;
  const TileShape &shape;
  mlir::Value firstRow, firstColumn, threadRow, threadColumn;
  /// With tensor cores: the lane's number in its group of four, and that of the group.
  mlir::Value inGroup, laneGroup;
  llvm::DenseMap<mlir::Operation *, mlir::Value> sumsOf;
};

} // namespace formwork::cuda
