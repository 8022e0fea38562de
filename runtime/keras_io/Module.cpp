// libformwork_keras_io.so: reads and writes .keras archives, reads .weights.h5; see keras_io.h.
//
// An archive is what keras.models.load_model opens: config.json with the compile settings merged
// in, metadata.json, model.weights.h5. What Keras has no place for (the state of the model's
// randomness, the epoch) is in a member of Formwork's own, which Keras ignores. Nothing in an
// archive is run.
#include "runtime/keras_io/keras_io.h"

#include "runtime/Error.h"
#include "runtime/data/Zip.h"
#include "runtime/io/State.h"
#include "runtime/keras_io/Weights.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

using namespace formwork::runtime;
using nlohmann::json;

static constexpr const char *ownMember = "formwork.safetensors";

/// What goes into our own member.
static bool isOwn(const formwork_variable &variable) {
  return isKept(variable) && !hasPath(variable);
}

//===--- writing ----------------------------------------------------------------------------------

static std::string makeConfig(const formwork_model &model, const std::string &file) {
  if (!model.config)
    throw Error(text("%s: model %s was compiled without its Keras configuration, which a .keras "
                     "archive needs: use a name that ends in .safetensors",
                     file.c_str(), model.name));
  json config = json::parse(model.config);
  if (model.compile_config)
    config["compile_config"] = json::parse(model.compile_config);
  return config.dump();
}

static std::string makeMetadata() {
  char date[32];
  time_t now = time(nullptr);
  tm local;
  strftime(date, sizeof(date), "%Y-%m-%d@%H:%M:%S", localtime_r(&now, &local));
  // The version whose format this is; Keras itself does not look at it.
  return json{{"keras_version", "3.15.1"}, {"date_saved", date}}.dump();
}

static std::vector<std::byte> makeOwnMember(const formwork_model &model, const std::byte *variables,
                                            const Position &position) {
  std::vector<std::byte> bytes;
  writeSafetensors(packState(model, variables, position, isOwn),
                   [&](auto piece) { bytes.insert(bytes.end(), piece.begin(), piece.end()); });
  return bytes;
}

static void save(const std::string &path, const formwork_model &model, const std::byte *variables,
                 const Position &position) {
  std::string metadata = makeMetadata(), config = makeConfig(model, path);
  std::vector<std::byte> weights = makeWeights(model, variables);
  std::vector<std::byte> own = makeOwnMember(model, variables, position);
  ReplacingFile file(path);
  ZipWriter archive(file);
  archive.add("metadata.json", {std::as_bytes(std::span(metadata))});
  archive.add("config.json", {std::as_bytes(std::span(config))});
  archive.add("model.weights.h5", {weights});
  archive.add(ownMember, {own});
  archive.finish();
  file.commit();
}

//===--- reading ----------------------------------------------------------------------------------

static const ZipMember *findMember(const std::vector<ZipMember> &members, const char *name) {
  for (const ZipMember &member : members)
    if (member.name == name)
      return &member;
  return nullptr;
}

static Position load(const std::string &path, const formwork_model &model, std::byte *variables) {
  FileBytes content = readFile(path);
  if (!isZip(content.bytes)) // a .weights.h5 alone
    return {0, 0, false, readWeights(content.bytes, path, model, variables)};
  std::vector<ZipMember> members = readZipDirectory(content, path);
  const ZipMember *weights = findMember(members, "model.weights.h5");
  if (!weights)
    throw Error(text("%s: is not a Keras 3 archive: it has no member model.weights.h5. Save the "
                     "model with model.save(\"name.keras\")",
                     path.c_str()));
  FileBytes image = readZipMember(content, path, *weights);
  Safetensors own;
  if (const ZipMember *member = findMember(members, ownMember))
    own = readSafetensors(readZipMember(content, path, *member), path);
  bool complete = readWeights(image.bytes, path, model, variables);
  Position position = unpackState(own, path, model, variables, isOwn);
  position.complete = complete;
  return position;
}

//===--- the interface ----------------------------------------------------------------------------

/// Runs a function whose exceptions must not leave the module.
template <typename Function> static int guarded(char *message, size_t size, Function function) {
  try {
    function();
    return 0;
  } catch (const std::exception &error) {
    snprintf(message, size, "%s", error.what());
    return 1;
  }
}

static int saveArchive(const char *file, const formwork_model *model, const void *variables,
                       const formwork_keras_position *position, char *message, size_t size) {
  return guarded(message, size, [&] {
    save(file, *model, static_cast<const std::byte *>(variables),
         {position->epoch, position->seed, true, true});
  });
}

static int loadArchive(const char *file, const formwork_model *model, void *variables,
                       formwork_keras_position *position, char *message, size_t size) {
  return guarded(message, size, [&] {
    auto *bytes = static_cast<std::byte *>(variables);
    int64_t count = model->state_size ? model->state_size : model->constants_size;
    std::vector<std::byte> loaded(bytes, bytes + count); // all or nothing
    Position found = load(file, *model, loaded.data());
    std::copy(loaded.begin(), loaded.end(), bytes);
    *position = {found.epoch, found.seed, found.known, found.complete};
  });
}

extern "C" [[gnu::visibility("default")]] const formwork_keras_io *formwork_keras_io_module(void) {
  static constexpr formwork_keras_io module = {FORMWORK_ABI, sizeof(formwork_keras_io), saveArchive,
                                               loadArchive};
  return &module;
}
