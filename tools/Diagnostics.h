// What the user is told: every diagnostic of the compiler, on one stream, in one form.
#pragma once

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/raw_ostream.h"

namespace formwork {

/// Prints each diagnostic of `context` as
///   digits.json:12:5: error: layer 'dense': what is wrong; why; what to do
/// followed by its notes, indented. `file` stands in where there is no position.
class DiagnosticPrinter {
public:
  DiagnosticPrinter(mlir::MLIRContext &context, std::string file, llvm::raw_ostream &out);

  /// How many errors there were.
  int errors() const { return errorCount; }

private:
  void print(mlir::Diagnostic &diagnostic, llvm::StringRef indentation);

  std::string file;
  llvm::raw_ostream &out;
  int errorCount = 0;
  mlir::ScopedDiagnosticHandler handler;
};

} // namespace formwork
