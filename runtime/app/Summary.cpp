// `summary`: what was compiled.
#include "runtime/Error.h"
#include "runtime/app/Json.h"
#include "runtime/app/Options.h"

namespace formwork::runtime {

namespace {
struct Counts {
  int64_t trainable = 0, fixed = 0, optimizer = 0;
};
} // namespace

static int64_t countElements(const formwork_variable &variable) {
  return elementCount(shape(variable), variable.name);
}

/// Parameters as Keras counts them.
static Counts count(const formwork_model &model) {
  Counts counts;
  for (const formwork_variable &variable : variables(model)) {
    if (variable.role == FORMWORK_WEIGHT)
      (variable.trainable ? counts.trainable : counts.fixed) += countElements(variable);
    else if (isKept(variable) && variable.role != FORMWORK_RNG)
      counts.optimizer += countElements(variable);
  }
  return counts;
}

static std::string describeVariable(const formwork_variable &variable) {
  return dtypeName(variable.dtype) + describeShape(shape(variable));
}

/// The sizes an entry was compiled for and the arena that each takes.
static std::string describeCompilations(const formwork_entry &entry) {
  std::string result;
  for (const formwork_concrete &concrete : concretes(entry)) {
    result += result.empty() ? "" : ", ";
    if (!concrete.dims && entry.dim_count) {
      result += "any sizes";
      continue;
    }
    if (concrete.dims)
      result += describeShape({concrete.dims, size_t(entry.dim_count)}) + " ";
    char arena[64];
    snprintf(arena, sizeof(arena), "%.1f KiB", double(concrete.arena_size(concrete.dims)) / 1024);
    result += arena;
  }
  return result;
}

static void printTable(const formwork_model &model) {
  printf("%s for %s\n\n%-40s %-16s %12s\n", model.name, model.target, "variable", "shape",
         "parameters");
  for (const formwork_variable &variable : variables(model))
    if (variable.role == FORMWORK_WEIGHT)
      printf("%-40s %-16s %12lld%s\n", printable(variable.name).c_str(),
             describeVariable(variable).c_str(), (long long)countElements(variable),
             variable.trainable ? "" : "  (not trained)");
  Counts counts = count(model);
  printf("\n%lld parameters, %lld of them trainable; %lld in the optimizer\n",
         (long long)(counts.trainable + counts.fixed), (long long)counts.trainable,
         (long long)counts.optimizer);
  printf("state %lld bytes, constants %lld bytes\n\n", (long long)model.state_size,
         (long long)model.constants_size);
  printf("%-16s %-44s %s\n", "function", "buffers", "sizes and arena");
  for (const formwork_entry &entry : entries(model)) {
    std::string list;
    for (const formwork_tensor &tensor : buffers(entry))
      list += (list.empty() ? "" : " ") + printable(tensor.name) + ":" + describe(tensor);
    printf("%-16s %-44s %s\n", entry.name, list.c_str(), describeCompilations(entry).c_str());
  }
}

static void printJson(const formwork_model &model) {
  Counts counts = count(model);
  Json json;
  json.open('{').member("model", model.name).member("target", model.target);
  json.member("trainable_parameters", counts.trainable);
  json.member("non_trainable_parameters", counts.fixed);
  json.member("optimizer_parameters", counts.optimizer);
  json.member("state_bytes", model.state_size).member("constants_bytes", model.constants_size);
  json.key("functions").open('[');
  for (const formwork_entry &entry : entries(model)) {
    json.open('{').member("name", entry.name).key("compiled_for").open('[');
    for (const formwork_concrete &concrete : concretes(entry)) {
      json.open('{').key("sizes").open('[');
      for (int i = 0; concrete.dims && i < entry.dim_count; ++i)
        json.value((long long)concrete.dims[i]);
      json.close(']').member("general", !concrete.dims);
      if (concrete.dims || !entry.dim_count)
        json.member("arena_bytes", concrete.arena_size(concrete.dims));
      json.close('}');
    }
    json.close(']').close('}');
  }
  json.close(']').key("variables").open('[');
  for (const formwork_variable &variable : variables(model))
    json.open('{')
        .member("name", variable.name)
        .member("type", describeVariable(variable))
        .close('}');
  puts(json.close(']').close('}').words().c_str());
}

int summary(const formwork_model &model, const Options &options) {
  (options.json ? printJson : printTable)(model);
  return 0;
}

} // namespace formwork::runtime
