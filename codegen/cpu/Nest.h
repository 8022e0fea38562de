// Writes the loops of one group of a kernel: chunks, tiles, passes, blocks.
#pragma once

#include "codegen/cpu/Schedule.h"

namespace formwork {

class Nest {
public:
  Nest(const Kernel &kernel, const Group &group, Writer &writer, Evaluator &evaluator,
       const llvm::DenseMap<mlir::Value, llvm::SmallVector<mlir::Value>> &outputs);

  /// How many chunks there are.
  mlir::Value chunks();
  /// Computes chunks [begin, end).
  void write(mlir::Value begin, mlir::Value end);

private:
  /// A block: rows by vectors at one place of the tile.
  struct Block {
    llvm::SmallVector<mlir::Value> at;
    int64_t rows, vectors = 1;
    int vectorDim = noDim;
    mlir::Value mask; // of the last vector
    unsigned place;
  };
  using Values = llvm::SmallVector<mlir::Value>;
  using BlockBody = llvm::function_ref<Values(const Block &, mlir::ValueRange carried)>;

  mlir::Value blockCount(Dim dim);
  int64_t blockSize(Dim dim) const;
  Dims panelDims() const;

  void writeChunks(mlir::Value begin, mlir::Value end, const Values &at);
  void writeBlocks(llvm::ArrayRef<Dim> dims, mlir::Value begin, mlir::Value end, Values at);
  void writePanels(const Values &at);
  void writePanel(const Packed &packed, Values at);
  Values turnedBlock(const Packed &packed, const Values &at, mlir::AffineMap access, Dim vectorDim);
  mlir::Value panelVector(const Packed &packed, const Values &at, mlir::AffineMap access,
                          Dim vectorDim);
  void writeTileRows(const Values &at);
  void writeTile(const Block &tile);
  void writePass(const Pass &pass, const Block &tile);
  Values writeInner(const Pass &pass, llvm::ArrayRef<Dim> dims, Block block,
                    mlir::ValueRange carried);
  Values writeColumns(int dim, Block block, mlir::ValueRange carried, BlockBody body);
  Values writeBlock(const Pass &pass, const Block &block, mlir::ValueRange carried);

  void writeContractions(const ContractionGroup &contraction, const Block &block);
  mlir::Value startOf(mlir::OpOperand &init, const Point &point);
  llvm::ArrayRef<mlir::Value> sumsOf(mlir::Value result);
  Values reduce(const ContractionGroup &contraction, llvm::ArrayRef<Dim> over, Block block,
                bool unrolled, mlir::ValueRange carried);
  Values reduceInnermost(const ContractionGroup &contraction, Dim dim, Block block, bool unrolled,
                         mlir::ValueRange carried);
  Values accumulate(const ContractionGroup &contraction, Block block, mlir::ValueRange carried);

  int64_t statisticWidth(const Pass &pass) const;
  Values startStatistics(const Pass &pass, const Block &tile);
  Values updateStatistics(const Pass &pass, const Block &block, mlir::ValueRange carried);
  void finishStatistics(const Pass &pass, const Block &tile, mlir::ValueRange carried);

  llvm::ArrayRef<mlir::Value> buffersOf(mlir::Value value);
  void store(llvm::ArrayRef<mlir::Value> values, const Block &block);
  void write(mlir::OpResult value, mlir::Value element, const Point &at);
  void remember(const Pass &pass);
  mlir::Value allocate(llvm::ArrayRef<int64_t> shape, mlir::Type element);
  Storage &scratchOf(mlir::Value value, int vectorDim);

  Point point(const Block &block, int64_t row, int64_t vector) const;
  mlir::Value maskOf(mlir::Value count);

  const Kernel &kernel;
  const Group &group;
  Writer &writer;
  Evaluator &evaluator;
  const llvm::DenseMap<mlir::Value, Values> &outputs;
  llvm::DenseMap<mlir::Value, Storage> scratch;
  llvm::DenseMap<mlir::OpOperand *, mlir::Value> panels;
  unsigned places = 0;
  /// Of a group with a stepDim: sums are first given their initial values, then added to, then
  /// read.
  enum { AllAtOnce, InitialValues, OneStep, CompleteSums } phase = AllAtOnce;
  llvm::DenseMap<mlir::Value, mlir::Value> restingSums;
};

} // namespace formwork
