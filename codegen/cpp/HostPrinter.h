// Host functions, their entry points and the sizes of their arenas, as text.
#pragma once

#include "codegen/EntryTable.h"
#include "codegen/StateLayout.h"
#include "codegen/cpp/Launchers.h"

namespace formwork::cpp {

/// What host functions are printed with: launches and copies besides what kernels have.
class HostLanguage : public CppLanguage {
public:
  explicit HostLanguage(LauncherPrinter &launchers);

  /// Where calls of each run are printed: at its last launch.
  void setRuns(mlir::func::FuncOp function);

private:
  LauncherPrinter &launchers;
  llvm::DenseMap<mlir::Operation *, llvm::SmallVector<LaunchOp>> runs;
};

struct HostPrinter {
  HostLanguage &language;
  const source::Symbols &symbols;
  const source::Scope &names;
  const StateLayout &layout;

  /// `void NAME(context, variables, arena, dims, buffers)`: what an entry point runs.
  mlir::LogicalResult printHost(mlir::func::FuncOp host, llvm::raw_ostream &os);
  /// The functions of runtime/formwork.h for one concrete function.
  mlir::LogicalResult printEntry(const Entry &entry, const ConcreteEntry &concrete,
                                 mlir::func::FuncOp arenaSize, llvm::raw_ostream &os);
};

} // namespace formwork::cpp
