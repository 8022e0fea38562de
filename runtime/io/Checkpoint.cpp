// What a training run needs to be continued; see Checkpoint.h.
#include "runtime/io/Checkpoint.h"

#include "runtime/Error.h"
#include "runtime/data/ArrayFile.h"
#include "runtime/data/Zip.h"
#include "runtime/io/KerasArchive.h"

#include <cstring>

namespace formwork::runtime {

static void checkName(const std::string &path) {
  if (!endsWith(path, ".keras") && !endsWith(path, ".safetensors") && !endsWith(path, ".npz"))
    throw Error(text("%s: give the file a name that ends in .keras (an archive that Keras loads), "
                     ".safetensors or .npz",
                     path.c_str()));
}

void checkCheckpointPath(const std::string &path) {
  checkName(path);
  checkWritable(path);
  if (endsWith(path, ".keras"))
    requireKerasModule(path);
}

/// Archives of Keras have their configuration in a member; .npz files hold arrays only.
static bool isKerasFile(const FileBytes &content, const std::string &path) {
  constexpr unsigned char hdf5[] = {0x89, 'H', 'D', 'F'};
  if (!isZip(content.bytes))
    return content.bytes.size() >= sizeof(hdf5) &&
           !memcmp(content.bytes.data(), hdf5, sizeof(hdf5));
  for (const ZipMember &member : readZipDirectory(content, path))
    if (!endsWith(member.name, ".npy"))
      return true;
  return false;
}

/// The arrays of a .npz file, as if they were in one of safetensors.
static Safetensors readNpz(const std::string &path) {
  ArrayFile file(path);
  Safetensors content;
  for (size_t i = 0; i < file.names().size(); ++i)
    content.arrays.push_back(file.read(i));
  return content;
}

void saveCheckpoint(const std::string &path, const Instance &instance, const Position &position) {
  checkName(path);
  if (endsWith(path, ".keras"))
    return saveKerasArchive(path, instance, position);
  Safetensors content = packState(instance.model(), instance.variableBytes(), position, isKept);
  if (endsWith(path, ".npz"))
    return writeArrays(path, content.arrays);
  ReplacingFile file(path);
  writeSafetensors(content, [&](auto piece) { file.write(piece.data(), piece.size()); });
  file.commit();
}

Position loadCheckpoint(const std::string &path, Instance &instance) {
  FileBytes bytes = readFile(path);
  if (isKerasFile(bytes, path))
    return loadKerasArchive(path, instance);
  return unpackState(isZip(bytes.bytes) ? readNpz(path) : readSafetensors(bytes, path), path,
                     instance.model(), instance.writableVariables(), isKept);
}

} // namespace formwork::runtime
