// What the writers of teams and of tiles have in common: places, reductions computed where they are
// read, stores.
#pragma once

#include "codegen/cuda/Schedule.h"
#include "codegen/kernel/Binding.h"

namespace formwork::cuda {

using Values = llvm::SmallVector<mlir::Value>;

/// What of a kernel is written so far.
struct Writing {
  Writing(const Kernel &kernel, Writer &writer, Evaluator &evaluator, const OutputBuffers &outputs,
          mlir::Value thread, int64_t threads)
      : kernel(kernel), writer(writer), evaluator(evaluator), outputs(outputs), thread(thread),
        threads(threads) {}

  const Kernel &kernel;
  Writer &writer;
  Evaluator &evaluator;
  const OutputBuffers &outputs;
  mlir::Value thread; // in its block
  int64_t threads;
  unsigned places = 0;
  /// Shared memory by element type and number of elements.
  llvm::DenseMap<std::pair<mlir::Type, int64_t>, mlir::Value> shared;
  int64_t sharedUsed = 0;
  bool hasFailed = false;
};

class GroupWriter {
public:
  GroupWriter(Writing &state, const Group &group);
  virtual ~GroupWriter() = default;

  /// How many blocks the group has, from sizes alone.
  virtual mlir::Value blocks() = 0;
  /// What block `block` of the group computes.
  virtual void write(mlir::Value block) = 0;

protected:
  mlir::Value index(int64_t value) { return writer.index(value); }
  mlir::Value divide(mlir::Value a, int64_t b);
  mlir::Value remainder(mlir::Value a, int64_t b);
  mlir::Value ceilDivide(mlir::Value a, int64_t b);
  mlir::Value less(mlir::Value a, mlir::Value b);
  mlir::Value both(mlir::Value a, mlir::Value b); // null: true
  void barrier();
  void onlyIf(mlir::Value condition, llvm::function_ref<void()> body);
  /// A loop that does not carry anything; `unroll`: iterations to run at once.
  void loop(mlir::Value from, mlir::Value to, int64_t step, int64_t unroll,
            llvm::function_ref<void(mlir::Value)> body);

  /// A part of the block's shared memory.
  mlir::Value newSharedArray(llvm::ArrayRef<int64_t> shape, mlir::Type element);
  /// One that others use too that ask for as many elements.
  mlir::Value sharedArray(mlir::Type element, int64_t elements);
  /// An array of the thread, in registers where its loops are unrolled.
  mlir::Value threadArray(llvm::StringRef name, llvm::ArrayRef<int64_t> shape, mlir::Type element);

  mlir::Value total(llvm::ArrayRef<Dim> dims);
  /// Sets the indices of `dims` from the number of a point in them, the last dimension fastest.
  void setIndices(Values &at, llvm::ArrayRef<Dim> dims, mlir::Value number);
  Point pointAt(const Values &at);

  /// Computes the reductions that `op` reads and that are not stored, at this place.
  void reduceBehind(mlir::linalg::GenericOp op, const Values &at);
  /// One thread, in order: the sums of `op` from its initial values.
  Values reduce(mlir::linalg::GenericOp op, const Values &at);
  Values initialValues(mlir::linalg::GenericOp op, const Values &at);
  Values accumulate(mlir::linalg::GenericOp op, const Values &at, mlir::ValueRange carried);

  /// Writes results where the kernel's outputs are. All is read before anything is written:
  /// outputs may be updated in place.
  void store(llvm::ArrayRef<mlir::Value> results, const Values &at);
  void writeOutput(mlir::OpResult result, mlir::Value element, const Point &point);

  Writing &state;
  const Kernel &kernel;
  const Group &group;
  Writer &writer;
  Evaluator &evaluator;
  /// Reductions whose results all steps have from now on.
  llvm::DenseSet<mlir::Operation *> available;

private:
  Values reduceOver(mlir::linalg::GenericOp op, llvm::ArrayRef<Dim> over, Values at,
                    mlir::ValueRange carried);
  const Item &itemOf(mlir::Operation *op) const;
};

} // namespace formwork::cuda
