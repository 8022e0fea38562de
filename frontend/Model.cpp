// Sees from its first bytes what a model file is, and keeps exceptions inside.
#include "frontend/Model.h"

#include "frontend/Diagnostics.h"
#include "frontend/keras/Archive.h"
#include "frontend/keras/Keras.h"
#include "frontend/keras/Legacy.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <exception>
#include <new>

using namespace mlir;

namespace formwork {

static std::string nameOf(const ImportOptions &options) {
  return options.name.empty() ? llvm::sys::path::stem(options.path).str() : options.name;
}

static FailureOr<ImportedModel> read(MLIRContext &context, std::string bytes,
                                     const ImportOptions &options) {
  Diagnostics diagnostics(context, options.path);
  size_t first = bytes.find_first_not_of(" \t\r\n");
  if (keras::isArchive(bytes))
    return keras::importArchive(context, std::move(bytes), nameOf(options), diagnostics);
  if (first != bytes.npos && bytes[first] == '{')
    return keras::importConfig(context, std::move(bytes), nameOf(options), diagnostics);
  if (keras::isLegacyFile(bytes))
    return keras::importLegacyFile(context, std::move(bytes), nameOf(options), diagnostics);
  (void)diagnostics.add(
      "this is no model that can be read: neither a .keras archive nor an .h5 file "
      "nor the JSON of model.to_json()");
  return diagnostics.report();
}

FailureOr<ImportedModel> importModelBytes(MLIRContext &context, std::string bytes,
                                          const ImportOptions &options) {
  try {
    return read(context, std::move(bytes), options);
  } catch (const std::bad_alloc &) {
    Diagnostics diagnostics(context, options.path);
    (void)diagnostics.add("there is not enough memory to read this model");
    return diagnostics.report();
  } catch (const std::exception &error) {
    Diagnostics diagnostics(context, options.path);
    (void)diagnostics.add(std::string("this model cannot be read: ") + error.what());
    return diagnostics.report();
  }
}

FailureOr<ImportedModel> importModel(MLIRContext &context, const ImportOptions &options) {
  auto file = llvm::MemoryBuffer::getFile(options.path, /*IsText=*/false,
                                          /*RequiresNullTerminator=*/false);
  if (!file) {
    Diagnostics diagnostics(context, options.path);
    (void)diagnostics.add("cannot open this file: " + file.getError().message());
    return diagnostics.report();
  }
  std::string bytes = (*file)->getBuffer().str();
  file->reset();
  return importModelBytes(context, std::move(bytes), options);
}

void printModel(const ImportedModel &model, llvm::raw_ostream &out) {
  model.module.get()->print(out);
  out << "\n";
}

} // namespace formwork
