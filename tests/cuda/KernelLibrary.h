// Printed CUDA C++ as a library of this machine: compiled as ordinary C++ against cuda_on_cpu.h.
#pragma once

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace formwork::test {

class KernelLibrary {
public:
  /// Makes what all libraries share; otherwise the first one does. To be called before processes
  /// are forked off that create some.
  static void prepare();

  /// All kernels of a module in the GPU's tile form. Null, with diagnostics or what the compiler
  /// says, if they cannot be printed or compiled.
  static std::unique_ptr<KernelLibrary> create(mlir::ModuleOp module);

  /// Runs a kernel: as many blocks as its sizes ask for. Takes the address of each of its
  /// parameters, as cuLaunchKernel does.
  using Launch = void(void **arguments);
  /// Of the kernel of this name in the module; null if there is none.
  Launch *launch(llvm::StringRef kernel) const;

private:
  explicit KernelLibrary(void *library) : library(library) {}
  void *library; // never unloaded: what refers to it is not known
};

} // namespace formwork::test
