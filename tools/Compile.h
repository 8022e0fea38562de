// The compiler as one function: a model file in, an artefact out.
#pragma once

#include "codegen/Target.h"
#include "codegen/cpp/Cpp.h"
#include "codegen/package/Description.h"
#include "tools/CompileSettings.h"

#include "llvm/TargetParser/Triple.h"

namespace formwork {

/// What of the way from model to machine code is wanted.
enum class Stage {
  Fw,      ///< Pure, differentiated functions of the fw dialect.
  Linalg,  ///< The same in linalg on tensors.
  Kernels, ///< Fused kernels and the host functions that launch them.
  Llvm,    ///< Optimized LLVM IR.
  Object
};

struct CompileOptions {
  std::string model; ///< Path of the file.
  std::string name;  ///< Begins every exported name; empty: the file's name without its ending.
  std::string target = "host";         ///< As chooseTarget takes it.
  std::vector<std::string> signatures; ///< As in tools/Signature.h.
  int64_t batch = 0;                   ///< A further signature, if the batch is the only symbol.
  bool train = false;
  bool sampleWeights = false;              ///< Training takes a weight for each sample.
  bool inputGradients = false;             ///< The entries for gradients of inputs as well.
  bool source = false;                     ///< C++ instead of an object.
  bool weightsOutside = false;             ///< In Description::outside, not in what is linked.
  bool profile = false;                    ///< As in CPUOptions.
  bool tf32 = false;                       ///< As in TargetOptions.
  std::vector<std::string> acceptedSpills; ///< As in TargetOptions.
  llvm::raw_ostream *report = nullptr;     ///< As in TargetOptions.
  std::optional<int64_t> maxArena;         ///< Bytes no concrete function may exceed.
  int64_t foldEmbeddings = 0;              ///< Bytes of weights that may be added for speed.
  int64_t seed = 0;                        ///< Of fresh weights, where they are embedded.
  CompileSettings settings;

  // For `formwork verify`.
  bool fuse = true;         ///< Several ops to a kernel.
  bool unoptimized = false; ///< Kernels as scalar loops.
  /// Changes the model after it was imported.
  std::function<mlir::LogicalResult(ImportedModel &)> prepare;
};

struct CompiledModel {
  Artifact artifact;              ///< Empty where source was asked for.
  std::vector<SourceFile> source; ///< Empty where an object was.
  package::Description description;
  llvm::Triple triple;

  /// Of the artifact, all of its objects.
  std::vector<llvm::StringRef> objects() const;
};

/// Compiles a model down to an object and what its package says about it. Whatever is wrong is
/// emitted as diagnostics of `context`.
mlir::FailureOr<CompiledModel> compileModel(mlir::MLIRContext &context,
                                            const CompileOptions &options);

/// Compiles as far as `stage`, which is before Object, and prints what is there.
mlir::LogicalResult printStage(mlir::MLIRContext &context, const CompileOptions &options,
                               Stage stage, llvm::raw_ostream &out);

/// Prints what only the target's accelerator can: its source, its assembly.
mlir::FailureOr<std::vector<SourceFile>>
printAccelerated(mlir::MLIRContext &context, const CompileOptions &options, llvm::StringRef kind);

/// Floating point operations of `predict` for the first signature or batch; nothing if there is
/// none or if they depend on the data.
mlir::FailureOr<std::optional<int64_t>> predictFlops(mlir::MLIRContext &context,
                                                     const CompileOptions &options);

} // namespace formwork
