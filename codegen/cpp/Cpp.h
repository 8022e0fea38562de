// C++ source instead of an object: the same kernels, schedules, layouts and entry points.
#pragma once

#include "codegen/Codegen.h"

namespace formwork {

struct CppSource {
  /// NAME.cpp; where kernels are many, NAME_kernels_1.cpp, ... and NAME_kernels.h too.
  std::vector<SourceFile> files;
  std::vector<Entry> entries;
  /// As in Artifact: what vectors are as wide as.
  std::string target;
};

/// The text of the helper header that the source includes, formwork_vector.h.
llvm::StringRef vectorHeader();

/// Consumes the module.
mlir::FailureOr<CppSource> compileForCpp(mlir::ModuleOp module, const CPUOptions &options);

} // namespace formwork
