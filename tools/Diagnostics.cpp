// Finds the layer and the file position in a location, however they are nested.
#include "tools/Diagnostics.h"

#include "frontend/Diagnostics.h"
#include "ir/Dialect.h"

#include "mlir/IR/Location.h"

using namespace mlir;

namespace formwork {

/// The first file position in a location; null if there is none.
static FileLineColLoc positionOf(Location location) {
  FileLineColLoc found;
  location->walk([&](Location inner) {
    found = dyn_cast<FileLineColLoc>(inner);
    return found ? WalkResult::interrupt() : WalkResult::advance();
  });
  return found;
}

static StringRef severityName(DiagnosticSeverity severity) {
  switch (severity) {
  case DiagnosticSeverity::Error:
    return "error";
  case DiagnosticSeverity::Warning:
    return "warning";
  default:
    return "note";
  }
}

DiagnosticPrinter::DiagnosticPrinter(MLIRContext &context, std::string file, llvm::raw_ostream &out)
    : file(std::move(file)), out(out), handler(&context, [this](Diagnostic &diagnostic) {
        errorCount += diagnostic.getSeverity() == DiagnosticSeverity::Error;
        print(diagnostic, "");
        for (Diagnostic &note : diagnostic.getNotes())
          print(note, "  ");
        return success();
      }) {}

void DiagnosticPrinter::print(Diagnostic &diagnostic, StringRef indentation) {
  FileLineColLoc position = positionOf(diagnostic.getLocation());
  out << indentation;
  if (position && position.getLine())
    out << position.getFilename().getValue() << ":" << position.getLine() << ":"
        << position.getColumn();
  else
    out << file;
  out << ": " << severityName(diagnostic.getSeverity()) << ": ";
  StringRef layer = layerName(diagnostic.getLocation());
  if (!layer.empty())
    out << "layer " << quoted(layer) << ": ";
  out << diagnostic << "\n";
}

} // namespace formwork
