// A model with its own variables and scratch memory; see Instance.h.
#include "runtime/Instance.h"

#include "runtime/Error.h"

namespace formwork::runtime {

Instance::Instance(const formwork_model &model, const formwork_context &context)
    : descriptor(model), context(context) {
  checkInterface(model);
  if (model.state_size)
    state = AlignedMemory(model.state_size);
}

bool Instance::needsWeights() const {
  const formwork_model &model = descriptor;
  const void *inside = model.state_size ? model.initial_state : model.constants;
  return !inside && !findEntry(model, "init") && model.variable_count > 0;
}

void Instance::initialize(int64_t seed) {
  if (!descriptor.state_size)
    return;
  if (descriptor.initial_state) {
    memcpy(state.data(), descriptor.initial_state, descriptor.state_size);
  } else if (const formwork_entry *init = findEntry(descriptor, "init")) {
    void *buffer = &seed;
    run(*init, /*dims=*/nullptr, &buffer);
  }
}

const void *Instance::constants() const {
  return ownConstants.data() ? ownConstants.data() : descriptor.constants;
}

const std::byte *Instance::variableBytes() const {
  return descriptor.state_size ? state.data() : static_cast<const std::byte *>(constants());
}

std::byte *Instance::writableVariables() {
  if (descriptor.state_size)
    return state.data();
  if (!ownConstants.data()) {
    ownConstants = AlignedMemory(descriptor.constants_size);
    if (descriptor.constants)
      memcpy(ownConstants.data(), descriptor.constants, descriptor.constants_size);
  }
  return ownConstants.data();
}

const formwork_concrete &Instance::select(const formwork_entry &entry, const int64_t *dims) const {
  if (const formwork_concrete *found = dispatch(entry, dims))
    return *found;
  std::string known;
  for (const formwork_concrete &concrete : concretes(entry))
    known += " " + describeShape({concrete.dims, size_t(entry.dim_count)});
  throw Error(
      text("%s: '%s' was not compiled for sizes %s, only for%s: use one of these, or compile "
           "the model without refusing the general function",
           descriptor.name, entry.name, describeShape({dims, size_t(entry.dim_count)}).c_str(),
           known.c_str()));
}

void Instance::run(const formwork_entry &entry, const formwork_concrete &concrete,
                   const int64_t *dims, void *const *buffers) {
  if (int64_t needed = concrete.arena_size(dims); needed > arena.size())
    arena = AlignedMemory(needed);
  int status = concrete.run(&context, constants(), state.data(), arena.data(), dims, buffers);
  if (status != FORMWORK_OK)
    throw Error(text("%s: '%s' refused sizes %s: two that must agree do not, or one is negative",
                     descriptor.name, entry.name,
                     describeShape({dims, size_t(entry.dim_count)}).c_str()));
}

const formwork_variable *findVariable(const formwork_model &model, formwork_role role) {
  for (const formwork_variable &variable : variables(model))
    if (variable.role == role)
      return &variable;
  return nullptr;
}

} // namespace formwork::runtime
