// What every subcommand that reads a model begins with.
#pragma once

#include "tools/Diagnostics.h"

#include "mlir/IR/MLIRContext.h"

#include <string>

namespace formwork {

/// A context with Formwork's dialects whose diagnostics go to stderr.
class Session {
public:
  explicit Session(const std::string &model);

  mlir::MLIRContext context;

  /// The exit status. A failure of which nothing was said is a defect of the compiler, and said to
  /// be one.
  int status(mlir::LogicalResult result);

private:
  std::string model;
  DiagnosticPrinter printer;
};

/// Prints an error that is not about a place in a model; returns the exit status.
int report(llvm::Error error);

/// Where the runtime archive and I/O modules are: the library folder beside this program's bin/, be
/// it a build or an installation, wherever that was moved.
std::string libraryFolder();

} // namespace formwork
