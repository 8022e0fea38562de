// From planned kernels to an artefact.
//
// What comes in: a module after the plan pipeline of passes/ (kernels in `module @kernels`, host
// functions on buffers of one arena). Codegen translates and schedules inside kernels; it fuses
// nothing, allocates nothing and refuses what no target rule scheduled.
#pragma once

#include "codegen/EntryTable.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/raw_ostream.h"

namespace formwork {

struct CPUOptions {
  /// Exported names begin with it; a C identifier. Empty: the module's fw.name.
  std::string name;
  /// LLVM's names; empty for the machine that compiles.
  std::string triple, cpu, features;
  /// What exported names end in; they are hidden if there is something: code that another target's
  /// entries call.
  std::string suffix;
  /// Scalar loops instead of schedules: for tests and `formwork verify`, never for a product.
  bool unoptimized = false;
  /// Times each launch with the functions of runtime/profile.h, which the program must have; the
  /// module went through fw-count-costs.
  bool profile = false;
  /// If given, receives the LLVM IR that the object is made from, after optimization.
  llvm::raw_ostream *printLLVM = nullptr;
};

/// What the descriptor says of code for a GPU: a formwork_accelerator.
struct Accelerator {
  std::string name;       ///< "cuda sm_90"
  std::string runtime;    ///< What its functions begin with: "formwork_cuda".
  std::string codeSymbol; ///< What they take.
  bool hasHostCode = false;
};

/// A file of source, by its name within the package.
struct SourceFile {
  std::string name, text;
};

struct Artifact {
  /// A relocatable object of the target. It exports what `entries` name, and nothing else.
  llvm::SmallVector<char, 0> object;
  /// Further objects that it refers to.
  std::vector<llvm::SmallVector<char, 0>> further;
  std::optional<Accelerator> accelerator;
  std::vector<Entry> entries;
  /// What it was compiled for, as in formwork_model: "x86_64-linux-gnu znver4".
  std::string target;
};

/// What exported names begin with.
std::string exportedName(mlir::ModuleOp module, const CPUOptions &options);

/// Consumes the module.
mlir::FailureOr<Artifact> compileForCPU(mlir::ModuleOp module, const CPUOptions &options);

} // namespace formwork
