// What a training run needs to be continued; see Checkpoint.h.
#include "runtime/io/Checkpoint.h"

#include "runtime/Error.h"
#include "runtime/data/Zip.h"
#include "runtime/io/KerasArchive.h"
#include "runtime/io/Safetensors.h"

#include <algorithm>
#include <cstdlib>

namespace formwork::runtime {

static Array view(const Instance &instance, const formwork_variable &variable) {
  Array array;
  array.name = variable.name;
  array.type = elementType(formwork_dtype(variable.dtype));
  array.shape.assign(variable.shape, variable.shape + variable.rank);
  array.data = instance.variableBytes() + variable.offset;
  return array;
}

static void save(const std::string &file, const Instance &instance, const Position &position) {
  Safetensors content;
  content.metadata = {{"format", "formwork"},
                      {"model", instance.model().name},
                      {"epoch", std::to_string(position.epoch)},
                      {"seed", std::to_string(position.seed)}};
  for (const formwork_variable &variable : variables(instance.model()))
    if (isKept(variable))
      content.arrays.push_back(view(instance, variable));
  writeSafetensors(file, content);
}

static Position load(const FileBytes &bytes, const std::string &file, Instance &instance) {
  Safetensors content = readSafetensors(bytes, file);
  Mistakes mistakes;
  for (const formwork_variable &variable : variables(instance.model())) {
    const Array *array = content.find(variable.name);
    Array expected = view(instance, variable);
    if (!array && variable.role == FORMWORK_WEIGHT)
      mistakes.add(
          text("%s: has no array '%s', which model %s needs as %s: is it the checkpoint of "
               "another model?",
               file.c_str(), variable.name, instance.model().name, expected.describe().c_str()));
    else if (array && (array->shape != expected.shape || array->type != expected.type))
      mistakes.add(text("%s: array '%s' is %s, but model %s needs %s: it belongs to another model",
                        file.c_str(), variable.name, array->describe().c_str(),
                        instance.model().name, expected.describe().c_str()));
  }
  mistakes.raise();
  for (const formwork_variable &variable : variables(instance.model()))
    if (const Array *array = content.find(variable.name); array && array->bytes())
      memcpy(instance.writableVariables() + variable.offset, array->data, array->bytes());
  Position position;
  position.known = !content.note("epoch").empty();
  position.epoch = std::max(0ll, atoll(content.note("epoch").c_str()));
  position.seed = atoll(content.note("seed").c_str());
  return position;
}

void saveCheckpoint(const std::string &file, const Instance &instance, const Position &position) {
  if (endsWith(file, ".keras"))
    return saveKerasArchive(file, instance, position);
  if (endsWith(file, ".safetensors"))
    return save(file, instance, position);
  throw Error(text("%s: give the file a name that ends in .keras (an archive that Keras loads) or "
                   ".safetensors",
                   file.c_str()));
}

Position loadCheckpoint(const std::string &file, Instance &instance) {
  FileBytes bytes = readFile(file);
  if (isZip(bytes.bytes))
    return loadKerasArchive(file, instance);
  return load(bytes, file, instance);
}

} // namespace formwork::runtime
