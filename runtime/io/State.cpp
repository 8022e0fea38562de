// A model's variables as the content of a safetensors file; see State.h.
#include "runtime/io/State.h"

#include "runtime/Error.h"
#include "runtime/Layout.h"

#include <algorithm>
#include <cstdlib>

namespace formwork::runtime {

/// The variable as an array, without elements.
static Array describeArray(const formwork_variable &variable) {
  Array array;
  array.name = variable.name;
  array.type = elementType(formwork_dtype(variable.dtype));
  array.shape.assign(variable.shape, variable.shape + variable.rank);
  return array;
}

/// The variable's elements: where they are, or a copy if they lie in another order.
static Array arrayOf(const formwork_variable &variable, const std::byte *variables) {
  Array array = describeArray(variable);
  auto copy = std::make_shared<std::vector<std::byte>>();
  array.data = elementsOf(variable, variables, *copy);
  array.owner = copy;
  return array;
}

Safetensors packState(const formwork_model &model, const std::byte *bytes, const Position &position,
                      VariableFilter *wanted) {
  Safetensors content;
  content.metadata = {{"format", "formwork"},
                      {"model", model.name},
                      {"epoch", std::to_string(position.epoch)},
                      {"seed", std::to_string(position.seed)}};
  for (const formwork_variable &variable : variables(model))
    if (wanted(variable))
      content.arrays.push_back(arrayOf(variable, bytes));
  return content;
}

/// Adds a mistake if the array is not what the variable needs.
static void check(const Array *array, const Array &expected, const formwork_variable &variable,
                  const std::string &file, const char *model, Mistakes &mistakes) {
  if (!array && variable.role == FORMWORK_WEIGHT)
    mistakes.add(text("%s: has no array %s, which model %s needs as %s: is it the checkpoint of "
                      "another model?",
                      file.c_str(), quoted(variable.name).c_str(), model,
                      expected.describe().c_str()));
  else if (array && (array->shape != expected.shape || array->type != expected.type))
    mistakes.add(text("%s: array %s is %s, but model %s needs %s: it belongs to another model",
                      file.c_str(), quoted(variable.name).c_str(), array->describe().c_str(), model,
                      expected.describe().c_str()));
}

Position unpackState(const Safetensors &content, const std::string &file,
                     const formwork_model &model, std::byte *bytes, VariableFilter *wanted) {
  Mistakes mistakes;
  Position position;
  position.complete = true;
  for (const formwork_variable &variable : variables(model)) {
    if (!wanted(variable))
      continue;
    const Array *array = content.find(variable.name);
    position.complete &= array != nullptr;
    check(array, describeArray(variable), variable, file, model.name, mistakes);
  }
  mistakes.raise();
  for (const formwork_variable &variable : variables(model))
    if (const Array *array = content.find(variable.name); wanted(variable) && array)
      writeElements(variable, bytes, array->data);
  position.known = !content.note("epoch").empty();
  position.epoch = std::max(0ll, atoll(content.note("epoch").c_str()));
  position.seed = atoll(content.note("seed").c_str());
  return position;
}

} // namespace formwork::runtime
