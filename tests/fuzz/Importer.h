// What the targets for model files share: importing bytes and asking that failure says why.
#pragma once

#include "frontend/Model.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

namespace formwork::fuzz {

/// A context for some thousand inputs: what it has once made unique it keeps.
inline mlir::MLIRContext &freshContext() {
  static std::unique_ptr<mlir::MLIRContext> context;
  static int uses = 0;
  if (!context || ++uses % 2000 == 0)
    context = std::make_unique<mlir::MLIRContext>(mlir::MLIRContext::Threading::DISABLED);
  return *context;
}

/// Imports the bytes. A failure without a diagnostic, or a diagnostic without failure, is a bug.
inline void import(std::string bytes) {
  mlir::MLIRContext &context = freshContext();
  size_t errors = 0;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    errors += diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error;
    (void)diagnostic.str();
    return mlir::success();
  });
  bool failed = mlir::failed(importModelBytes(context, std::move(bytes), {"input", "model"}));
  if (failed != (errors != 0))
    abort();
}

} // namespace formwork::fuzz
