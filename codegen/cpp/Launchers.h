// Kernels and the functions that run them, as text.
#pragma once

#include "codegen/cpp/CppLanguage.h"
#include "codegen/source/FunctionPrinter.h"
#include "ir/Dialect.h"

namespace formwork::cpp {

/// The two functions of a scheduled kernel.
struct Kernel {
  mlir::func::FuncOp run, chunks;
  /// Which of its parameters are there, the range of chunks included.
  std::vector<bool> kept;
  int64_t workPerChunk() const;
  /// The number of chunks where it does not depend on sizes.
  std::optional<int64_t> constantChunks() const;
};

/// All kernels of a nested module, by the name that launches know them by.
llvm::StringMap<Kernel> findKernels(mlir::ModuleOp nested);

/// Prints how launches that run together are run: by a function that hands chunks to parallel_for
/// where that pays, or by calls where it never does. The rule is that of codegen/host.
class LauncherPrinter {
public:
  LauncherPrinter(const source::Language &language, const source::Symbols &symbols,
                  source::Scope &names, llvm::StringMap<Kernel> kernels);

  /// Text of all launchers that `call` needed.
  llvm::StringRef text() const { return definitions; }
  mlir::LogicalResult result() const { return mlir::failure(failed); }

  /// Prints the call that runs `launches` at `printer`.
  void call(llvm::ArrayRef<LaunchOp> launches, source::FunctionPrinter &printer);

private:
  struct Launcher {
    std::string name;
    std::vector<Kernel> kernels;
    bool splits() const;
  };
  Launcher &launcherOf(llvm::ArrayRef<LaunchOp> launches);
  void print(Launcher &launcher);
  llvm::SmallVector<source::Expression> arguments(LaunchOp launch, const Kernel &kernel,
                                                  source::FunctionPrinter &printer);

  const source::Language &language;
  const source::Symbols &symbols;
  source::Scope &names;
  llvm::StringMap<Kernel> kernels;
  llvm::StringMap<Launcher> launchers;
  std::string definitions;
  bool failed = false;
};

} // namespace formwork::cpp
