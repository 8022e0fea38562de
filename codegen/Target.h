// Kinds of machines that code is made for. Each is a folder here, with a Machines.cpp that defines
// `const Target &FOLDERTarget()`; the build finds them by that file.
#pragma once

#include "codegen/Codegen.h"

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace formwork {

/// A value of --target.
struct Machine {
  llvm::StringRef name, help;
  /// LLVM's names of the CPU; empty for this one's.
  llvm::StringRef triple, cpu;
  /// How a compiler of C++ is told.
  llvm::StringRef option;
};

/// Which matrices a machine reads faster in panels of columns, and how wide those are: what
/// fw-choose-layouts takes. All of a model's code reads the same.
struct MatrixLayout {
  int64_t panelBytes = 128; ///< Of a panel's row.
  /// Matrices that are smaller, or whose rows are, stay in row-major order.
  int64_t rowBytes = 2048, matrixBytes = 512 << 10;
};

struct TargetOptions {
  /// Exported names begin with it; a C identifier.
  std::string name;
  /// What the names end in of code that an accelerator's entries call without a device; that code
  /// is the CPU's own, and for others says whether there is any.
  std::string hostSuffix;
  /// The CPU that an accelerator's host code is for.
  Machine host;
  /// Scalar loops instead of schedules, where a target has them.
  bool unoptimized = false;
  /// As in CPUOptions, for code that runs on the CPU.
  bool profile = false;
  /// Whether products of float32 may be rounded to TF32, where a machine is faster by it.
  bool tf32 = false;
  /// Hot kernels that may keep registers in memory; "*" for all.
  std::vector<std::string> acceptedSpills;
  /// If given, receives what kernels take of the machine, where a target can tell.
  llvm::raw_ostream *report = nullptr;
};

class Target {
public:
  virtual ~Target() = default;

  virtual llvm::ArrayRef<Machine> machines() const = 0;
  /// Whether its code is called by code for a CPU, and may have the CPU's own code beside it.
  virtual bool isAccelerator() const = 0;
  /// Fails with an error at `location` if there is no such machine.
  virtual mlir::FailureOr<MatrixLayout> matrixLayout(mlir::Location location,
                                                     const Machine &machine) const {
    return MatrixLayout();
  }

  /// Whether a kernel that contracts pools its results as well; else there is one for each.
  virtual bool poolsInTiles() const { return true; }

  /// Adds what a machine has done to kernels and launches on tensors, before memory is planned.
  /// Code for the CPU that lies beside an accelerator's runs the same kernels in the same memory.
  virtual void addKernelPasses(mlir::OpPassManager &pipeline) const {}

  /// From planned kernels to objects, for all of `machines` in one. Consumes the module.
  virtual mlir::FailureOr<Artifact> compile(mlir::ModuleOp module, llvm::ArrayRef<Machine> machines,
                                            const TargetOptions &options) const = 0;

  /// Values of --emit that this target alone has: text.
  virtual llvm::ArrayRef<llvm::StringRef> texts() const { return {}; }
  /// The text `kind`, one of texts(): a file, or several that make a folder. Consumes the module.
  virtual mlir::FailureOr<std::vector<SourceFile>> print(llvm::StringRef kind,
                                                         mlir::ModuleOp module,
                                                         llvm::ArrayRef<Machine> machines,
                                                         const TargetOptions &options) const {
    return mlir::failure();
  }
};

/// In the order of their folders' names.
llvm::ArrayRef<const Target *> targets();

/// What a value of --target asks for.
struct TargetChoice {
  /// The CPU's machine; of an accelerator's host code too.
  Machine host;
  /// Whether the CPU is to run the model by itself.
  bool onHost = false;
  const Target *cpu = nullptr;
  const Target *accelerator = nullptr; ///< May be null.
  std::vector<Machine> accelerated;
};

/// Names separated by commas. Empty, with `problem` set, if one is unknown or they do not fit
/// together.
std::optional<TargetChoice> chooseTarget(llvm::StringRef names, std::string &problem);

} // namespace formwork
