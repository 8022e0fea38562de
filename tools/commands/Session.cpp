// The context of a run and where its installation is.
#include "tools/commands/Session.h"

#include "tools/Dialects.h"
#include "tools/commands/Commands.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace formwork {

static DialectRegistry allDialects() {
  DialectRegistry registry;
  registerDialects(registry);
  return registry;
}

Session::Session(const std::string &model)
    : context(allDialects()), model(model), printer(context, model, llvm::errs()) {
  context.loadAllAvailableDialects();
  context.printOpOnDiagnostic(false); // The user's layers, not our ops.
}

int Session::status(LogicalResult result) {
  if (succeeded(result))
    return 0;
  if (printer.errors() == 0)
    llvm::errs() << model << ": error: the compiler failed and said no reason; this is a defect of "
                 << "Formwork, please report it with the model\n";
  return wrongInput;
}

int report(llvm::Error error) {
  if (!error)
    return 0;
  llvm::errs() << "formwork: error: " << llvm::toString(std::move(error)) << "\n";
  return wrongInput;
}

/// `folder` beside the bin/ of this program.
static std::string beside(StringRef folder) {
  static int anchor;
  llvm::SmallString<256> path(llvm::sys::fs::getMainExecutable(nullptr, &anchor));
  llvm::sys::path::remove_filename(path);
  llvm::sys::path::append(path, "..", folder);
  llvm::sys::path::remove_dots(path, /*remove_dot_dot=*/true);
  return std::string(path);
}

std::string libraryFolder() {
  std::string built = beside("lib"), installed = beside(FORMWORK_LIBRARY_FOLDER);
  return llvm::sys::fs::exists(built + "/libformwork_runtime.a") ? built : installed;
}

} // namespace formwork
