// The seam between the numeric table and a pipeline: pure fw functions in, callable functions out.
//
// Every target has an executor, and every executor runs every row of the table.
#pragma once

#include "tests/numeric/Array.h"

#include "mlir/IR/BuiltinOps.h"

#include <functional>
#include <memory>
#include <optional>

namespace formwork::test {

/// A module that was compiled. Not thread-safe.
class Program {
public:
  virtual ~Program() = default;

  /// Calls `function`. `results` come with their shapes and are overwritten; an argument that the
  /// function updates in place comes back changed.
  virtual void call(llvm::StringRef function, std::vector<Array> &arguments,
                    std::vector<Array> &results) = 0;
};

class Executor {
public:
  virtual ~Executor() = default;

  virtual llvm::StringRef name() const = 0;

  /// Makes what all that is compiled shares. Called before each row's process starts; only the
  /// first call has anything to do.
  virtual void prepare() {}

  /// Whether sums are the same, bit by bit, if dimensions are not known before a function runs. Not
  /// where loops are cut to fit the sizes.
  virtual bool sumsAlikeWithUnknownSizes() const = 0;

  /// The gradient of the gradient is checked for the first of so many shapes: its functions take
  /// most of the time to compile, and their kernels are of the same kinds.
  virtual size_t shapesPerSecondOrder() const { return 3; }

  /// Null, with diagnostics emitted, if the module does not compile. Changes the module.
  std::unique_ptr<Program> compile(mlir::ModuleOp module);

  /// The same for a module that has been through buildModelPipeline.
  virtual std::unique_ptr<Program> compilePure(mlir::ModuleOp module) = 0;
};

/// A change to what a stage of the pipeline has produced, by a test that asks whether it is
/// noticed.
struct Fault {
  enum Stage { Differentiated, Decomposed } stage;
  std::function<void(mlir::ModuleOp)> plant;
};

/// The unoptimized pipeline: linalg to scalar loops. Its memory comes poisoned, so that reading an
/// element before writing it gives NaN.
std::unique_ptr<Executor> makeReferenceExecutor(std::optional<Fault> fault = std::nullopt);

/// The production pipeline for the machine at hand: kernels, memory plan, schedules, object code.
/// Its arena comes poisoned too, between canaries.
std::unique_ptr<Executor> makeCpuExecutor();

/// The same and, beside it, its C++ source compiled by g++. Ends the process where the source's
/// results are not the bits that the object computes: its rows are makeCpuExecutor's rows too.
std::unique_ptr<Executor> makeCppExecutor();

/// The GPU's kernels, printed as CUDA C++ and run on the CPU.
std::unique_ptr<Executor> makeCudaExecutor();

/// Those whose rows are every pipeline's rows, but for that one's, which are a program of their
/// own.
std::vector<std::unique_ptr<Executor>> makeExecutors();

/// Ops that only the tests know, added to a context that has the fw dialect.
void registerTestOps(mlir::MLIRContext &context);

/// A context that has the dialects of all pipelines and can translate to LLVM.
std::unique_ptr<mlir::MLIRContext> makeContext();

} // namespace formwork::test
