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
    int64_t base;
    int64_t threadSize; // of a thread's part
    mlir::Value thread; // the thread's number along it
  };

  Side leftSide(mlir::OpOperand *operand, mlir::Value memory);
  Side rightSide(mlir::OpOperand *operand, mlir::Value memory);
  mlir::Value startSums(const Contraction &product, const Values &at);
  void sum(const Contraction &product, const Values &at);
  void fetch(const Contraction &product, const Side &side, const Values &at, mlir::Value slice);
  void multiply(const Side &left, const Side &right, mlir::Value sums);
  mlir::Value fragment(const Side &side, mlir::Value step);
  mlir::Value within(const Side &side, mlir::Value number);
  void
  forEachSum(const Values &at,
             llvm::function_ref<void(const Values &at, mlir::Value row, mlir::Value column)> body);
  void finish(const Values &at);
  mlir::Value numberOf(const Side &side, mlir::Value i);

  const Tiles &tiles;
  const TileShape &shape;
  mlir::Value firstRow, firstColumn, threadRow, threadColumn;
  llvm::DenseMap<mlir::Operation *, mlir::Value> sumsOf;
};

} // namespace formwork::cuda
