// What the front end's tests share: importing text or bytes and seeing every diagnostic.
#pragma once

#include "frontend/Model.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/raw_ostream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace formwork::test {

struct Importing {
  mlir::MLIRContext context{mlir::MLIRContext::Threading::DISABLED};
  mlir::FailureOr<ImportedModel> model = mlir::failure();
  /// Errors and their notes, each "line:column: text".
  std::vector<std::string> diagnostics;

  explicit Importing(std::string bytes) {
    mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
      add(diagnostic);
      for (mlir::Diagnostic &note : diagnostic.getNotes())
        add(note);
      return mlir::success();
    });
    model = importModelBytes(context, std::move(bytes), {"test.keras", ""});
  }

  std::string module() {
    std::string text;
    llvm::raw_string_ostream stream(text);
    printModel(*model, stream);
    return text;
  }

private:
  void add(mlir::Diagnostic &diagnostic) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    if (auto at = mlir::dyn_cast<mlir::FileLineColLoc>(diagnostic.getLocation()))
      stream << at.getLine() << ":" << at.getColumn() << ": ";
    stream << diagnostic;
    diagnostics.push_back(text);
  }
};

} // namespace formwork::test
