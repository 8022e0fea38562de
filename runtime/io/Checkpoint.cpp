// What a training run needs to be continued; see Checkpoint.h.
#include "runtime/io/Checkpoint.h"

#include "runtime/Error.h"
#include "runtime/data/Zip.h"
#include "runtime/io/KerasArchive.h"

namespace formwork::runtime {

static void checkName(const std::string &path) {
  if (!endsWith(path, ".keras") && !endsWith(path, ".safetensors"))
    throw Error(text("%s: give the file a name that ends in .keras (an archive that Keras loads) "
                     "or .safetensors",
                     path.c_str()));
}

void checkCheckpointPath(const std::string &path) {
  checkName(path);
  checkWritable(path);
  if (endsWith(path, ".keras"))
    requireKerasModule(path);
}

void saveCheckpoint(const std::string &path, const Instance &instance, const Position &position) {
  checkName(path);
  if (endsWith(path, ".keras"))
    return saveKerasArchive(path, instance, position);
  ReplacingFile file(path);
  writeSafetensors(packState(instance.model(), instance.variableBytes(), position, isKept),
                   [&](auto piece) { file.write(piece.data(), piece.size()); });
  file.commit();
}

Position loadCheckpoint(const std::string &path, Instance &instance) {
  FileBytes bytes = readFile(path);
  if (isZip(bytes.bytes))
    return loadKerasArchive(path, instance);
  return unpackState(readSafetensors(bytes, path), path, instance.model(),
                     instance.writableVariables(), isKept);
}

} // namespace formwork::runtime
