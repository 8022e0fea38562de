// A model with its own variables and scratch memory; see Instance.h.
#include "runtime/Instance.h"

#include "runtime/Error.h"
#include "runtime/Layout.h"

namespace formwork::runtime {

Instance::Instance(const formwork_model &model, const formwork_context &given)
    : descriptor(model), context(given) {
  checkInterface(model);
  device = Device::open(model);
  context.device = device ? device->get() : nullptr;
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
    memcpy(writableVariables(), descriptor.initial_state, descriptor.state_size);
  } else if (const formwork_entry *init = findEntry(descriptor, "init")) {
    void *buffer = &seed;
    run(*init, /*dims=*/nullptr, &buffer);
  }
}

//===--- variables -------------------------------------------------------------------------------

const void *Instance::constants() const {
  return ownConstants.data() ? ownConstants.data() : descriptor.constants;
}

const void *Instance::hostVariables() const {
  return descriptor.state_size ? state.data() : constants();
}

int64_t Instance::variableSize() const {
  return descriptor.state_size ? descriptor.state_size : descriptor.constants_size;
}

const std::byte *Instance::variableBytes() const {
  if (!hostIsCurrent) // Then there is a state: no function changes constants.
    device->download(state.data(), deviceVariables.data(), descriptor.state_size);
  hostIsCurrent = true;
  return static_cast<const std::byte *>(hostVariables());
}

std::byte *Instance::writableVariables() {
  variableBytes();
  deviceIsCurrent = false;
  if (descriptor.state_size)
    return state.data();
  if (!ownConstants.data()) {
    ownConstants = AlignedMemory(descriptor.constants_size);
    if (descriptor.constants)
      memcpy(ownConstants.data(), descriptor.constants, descriptor.constants_size);
  }
  derivedIsCurrent = !findEntry(descriptor, "derive");
  return ownConstants.data();
}

/// Computes derived variables of the weights in ownConstants.
void Instance::derive() {
  const formwork_entry &entry = requireEntry(descriptor, "derive");
  std::vector<AlignedMemory> values;
  std::vector<void *> pointers;
  for (const formwork_tensor &buffer : buffers(entry)) {
    values.emplace_back(elementCount(buffer, nullptr) * elementSize(buffer.dtype));
    pointers.push_back(values.back().data());
  }
  derivedIsCurrent = true; // The run itself must not come here again.
  try {
    run(entry, /*dims=*/nullptr, pointers.data());
  } catch (...) {
    derivedIsCurrent = false;
    throw;
  }
  for (const formwork_variable &variable : variables(descriptor))
    for (size_t i = 0; i < values.size(); ++i)
      if (strcmp(variable.name, entry.buffers[i].name) == 0)
        writeElements(variable, ownConstants.data(), values[i].data());
  deviceIsCurrent = false;
}

/// To the device, if what is there is not right.
void Instance::bringVariables() {
  if (!deviceVariables.data())
    deviceVariables = DeviceMemory(*device, variableSize());
  if (const void *variables = hostVariables(); variables && !deviceIsCurrent)
    device->upload(deviceVariables.data(), variables, variableSize());
  deviceIsCurrent = true;
}

//===--- running ---------------------------------------------------------------------------------

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

void Instance::reserveArena(int64_t size) {
  if (device && size > deviceArena.size()) {
    deviceArena = DeviceMemory(); // Released first: there may not be room for both.
    deviceArena = DeviceMemory(*device, size);
  } else if (!device && size > arena.size()) {
    arena = AlignedMemory(size);
  }
}

void Instance::start(const formwork_entry &entry, const formwork_concrete &concrete,
                     const int64_t *dims, void *const *buffers) {
  if (!derivedIsCurrent)
    derive();
  reserveArena(concrete.arena_size(dims));
  int status;
  if (device) {
    bringVariables();
    hostIsCurrent = descriptor.state_size == 0;
    bool trains = descriptor.state_size;
    status =
        concrete.run(&context, trains ? nullptr : deviceVariables.data(),
                     trains ? deviceVariables.data() : nullptr, deviceArena.data(), dims, buffers);
  } else {
    status = concrete.run(&context, constants(), state.data(), arena.data(), dims, buffers);
  }
  if (status == FORMWORK_DEVICE_FAILED)
    device->fail();
  if (status != FORMWORK_OK)
    throw Error(text("%s: '%s' refused sizes %s: two that must agree do not, or one is negative",
                     descriptor.name, entry.name,
                     describeShape({dims, size_t(entry.dim_count)}).c_str()));
}

void Instance::finish() {
  if (device)
    device->synchronize();
}

void Instance::run(const formwork_entry &entry, const formwork_concrete &concrete,
                   const int64_t *dims, void *const *buffers) {
  start(entry, concrete, dims, buffers);
  finish();
}

const formwork_variable *findVariable(const formwork_model &model, formwork_role role) {
  for (const formwork_variable &variable : variables(model))
    if (variable.role == role)
      return &variable;
  return nullptr;
}

} // namespace formwork::runtime
