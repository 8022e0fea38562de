// Writes the loops of one group of a kernel: chunks, tiles, passes, blocks.
#pragma once

#include "codegen/cpu/Clip.h"
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
    int64_t firstRow = 0; // of those that take part; `rows` is where they end
  };
  /// Indices [begin, begin + size) of a reduced dimension, or fewer at its end.
  struct Portion {
    Dim dim;
    mlir::Value begin;
    int64_t size;
  };
  /// One of nested loops over dimensions.
  struct DimLoop {
    mlir::Value from, to;
    int64_t step;
    LoopStyle style;
  };
  using Values = llvm::SmallVector<mlir::Value>;
  using BlockBody = llvm::function_ref<void(const Block &)>;

  mlir::Value blockCount(Dim dim);
  int64_t blockSize(Dim dim) const;
  mlir::Value blockBegin(Dim dim, mlir::Value block);
  Dims panelDims() const;

  void writeChunks(mlir::Value begin, mlir::Value end, const Values &at);
  void writeBlocks(llvm::ArrayRef<Dim> dims, mlir::Value begin, mlir::Value end, Values at);
  void loopOver(llvm::ArrayRef<Dim> dims, Values &at, llvm::function_ref<DimLoop(Dim)> loopAlong,
                llvm::function_ref<void()> body);
  void writePanels(const Values &at);
  Dims panelRows(mlir::OpOperand &operand, Dim adjacent) const;
  mlir::Value panelOf(const Packed &packed, llvm::ArrayRef<Dim> rows, int64_t width);
  void writePanel(const Packed &packed, Values at);
  mlir::Value turnedBlock(const Packed &packed, const Values &at, mlir::AffineMap access,
                          Dim vectorDim);
  mlir::Value panelVector(mlir::OpOperand &operand, const Values &at, Dim vectorDim,
                          int64_t spacing);
  mlir::Value panelIndex(Dim dim, const Values &at);
  void writeRowPanel(mlir::OpOperand &operand);
  void readRowPanels(const Block &tile);
  void writeTileRows(const Values &at);
  void writeTile(const Block &tile);
  void writePass(const Pass &pass, const Block &tile);
  void writeInner(const Pass &pass, llvm::ArrayRef<Dim> dims, Block block);
  void writeColumns(int dim, Block block, BlockBody body);
  void writeBlock(const Pass &pass, const Block &block);

  void writeContractions(const Pass &pass, const ContractionGroup &contraction, const Block &block);
  void prefetch(mlir::OpOperand &operand, llvm::ArrayRef<mlir::Value> at);
  mlir::MemRefType bufferOfRows(mlir::OpOperand &operand, Dim dim, int vectorDim) const;
  mlir::MemRefType bufferOfGathered(mlir::tensor::ExtractOp extract) const;
  Point firstLaneOf(Point point);
  void prefetchEpilogue(const Pass &pass, const Block &block);
  void prefetchNextRow(const Pass &pass, const Block &block);
  void prefetchNextPanel(mlir::OpOperand &operand, Values at, int64_t width);
  mlir::Value startOf(mlir::OpOperand &init, const Point &point);
  llvm::ArrayRef<mlir::Value> sumsOf(mlir::Value result);
  int64_t partSize(const ContractionGroup &contraction) const;
  Values beginSums(const ContractionGroup &contraction, const Block &block, llvm::StringRef name,
                   llvm::function_ref<mlir::Value(mlir::OpOperand &, const Point &)> start);
  void addToSums(const ContractionGroup &contraction, const Block &block,
                 llvm::ArrayRef<mlir::Value> sums,
                 llvm::function_ref<mlir::Value(size_t i, const Point &)> other);
  mlir::Value zeroLike(mlir::OpOperand &init);
  void reduceInParts(const ContractionGroup &contraction, int64_t size, Block block, int64_t factor,
                     llvm::ArrayRef<mlir::Value> totals, std::string comment);
  void reduce(const ContractionGroup &contraction, llvm::ArrayRef<Dim> over, Block block,
              bool unrolled, int64_t factor, llvm::ArrayRef<mlir::Value> sums, std::string comment);
  bool reduceRowsInside(const ContractionGroup &contraction, llvm::ArrayRef<Dim> over, Block block,
                        int64_t factor, llvm::ArrayRef<mlir::Value> sums);
  std::optional<Portion> portionOf(Dim dim) const;
  std::pair<mlir::Value, mlir::Value> wholeRange(Dim dim);
  std::pair<mlir::Value, mlir::Value> rangeOf(Dim dim, llvm::ArrayRef<Dim> within,
                                              const Block &block);
  void accumulate(const ContractionGroup &contraction, Block block,
                  llvm::ArrayRef<mlir::Value> sums);

  void startStatistics(const Pass &pass, const Block &tile);
  void updateStatistics(const Pass &pass, const Block &block);
  void finishStatistics(const Pass &pass, const Block &tile);
  mlir::Value totalOf(mlir::Operation *combiner, mlir::Value sums, Block block, mlir::Value row);

  llvm::ArrayRef<mlir::Value> buffersOf(mlir::Value value);
  void store(llvm::ArrayRef<mlir::Value> values, const Block &block);
  void write(mlir::OpResult value, mlir::Value element, const Point &at);
  void remember(const Pass &pass);
  mlir::Value allocate(llvm::ArrayRef<int64_t> shape, mlir::Type element);
  Storage &scratchOf(mlir::Value value, int vectorDim);

  void forRows(const Block &block, llvm::function_ref<void(mlir::Value row)> body,
               llvm::StringRef comment = "");
  void forPoints(const Block &block, llvm::function_ref<void(const Point &)> body,
                 llvm::StringRef comment = "");
  Point point(const Block &block, mlir::Value row, int64_t vector) const;
  mlir::Value registers(llvm::StringRef name, int64_t rows, int64_t width, mlir::Type type);
  mlir::Type typeIn(const Block &block, mlir::Type element) const;
  mlir::Value maskOf(mlir::Value count);

  const Kernel &kernel;
  const Group &group;
  Writer &writer;
  Evaluator &evaluator;
  const llvm::DenseMap<mlir::Value, Values> &outputs;
  llvm::DenseMap<mlir::Value, Storage> scratch;
  llvm::DenseMap<mlir::OpOperand *, mlir::Value> panels;
  /// Of the contraction that is being written: what restricts its products.
  llvm::SmallVector<Clip> clips;
  /// Of the pass that is being written: accumulators [rows][vectors] of each statistic.
  Values statistics;
  unsigned places = 0;
  /// Of a group with a stepDim: sums are first given their initial values, then added to, then
  /// read.
  enum { AllAtOnce, InitialValues, OneStep, CompleteSums } phase = AllAtOnce;
  mlir::Value stepBegin;
  /// Of a long sum: what is being summed.
  std::optional<Portion> part;
  llvm::DenseMap<mlir::Value, mlir::Value> restingSums;
};

} // namespace formwork
