// A model with its own variables and scratch memory: what a program runs and trains.
//
// A model with code for a GPU runs there: FORMWORK_DEVICE in the environment says on which one, by
// its number, or `cpu`. Without it, the first one is taken, or the CPU where there is none and the
// model has code for it.
//
// Not for several threads at once (one instance per thread; the descriptor and the pool are
// shared).
#pragma once

#include "runtime/Descriptor.h"
#include "runtime/Device.h"
#include "runtime/Memory.h"

#include <cstddef>

namespace formwork::runtime {

class Instance {
public:
  /// Variables are zero until `initialize` or a checkpoint sets them. The context's pool must
  /// outlive the instance.
  Instance(const formwork_model &, const formwork_context &);

  const formwork_model &model() const { return descriptor; }

  /// Sets the variables to those compiled in, or runs `init` with the seed. A model whose weights
  /// are neither inside nor made by `init` is left at zero: then `needsWeights` says so.
  void initialize(int64_t seed);
  bool needsWeights() const;

  /// The bytes that the variables' offsets count from, until the next run. Writing to a model that
  /// does not train detaches it from the constants compiled in; the next run computes derived
  /// variables of what was written.
  const std::byte *variableBytes() const;
  std::byte *writableVariables();

  /// The compilation for these sizes; an Error if there is none.
  const formwork_concrete &select(const formwork_entry &, const int64_t *dims) const;
  /// Runs a compilation, in scratch memory that is kept from call to call.
  void run(const formwork_entry &, const formwork_concrete &, const int64_t *dims,
           void *const *buffers);
  void run(const formwork_entry &entry, const int64_t *dims, void *const *buffers) {
    run(entry, select(entry, dims), dims, buffers);
  }
  /// The same, but what it fills is there only after `finish` or a later `run`: a GPU goes on while
  /// the next batch is prepared.
  void start(const formwork_entry &, const formwork_concrete &, const int64_t *dims,
             void *const *buffers);
  void finish();

  /// Where it runs: a GPU's name, or null for the CPU.
  const char *deviceName() const { return device ? device->name() : nullptr; }

private:
  const void *constants() const;
  const void *hostVariables() const;
  int64_t variableSize() const;
  void bringVariables();
  void derive();
  void reserveArena(int64_t size);

  const formwork_model &descriptor;
  formwork_context context;
  std::unique_ptr<Device> device; // null: the CPU
  mutable AlignedMemory state;    // with a device, a copy
  AlignedMemory ownConstants;     // empty while those compiled in are used
  AlignedMemory arena;
  DeviceMemory deviceVariables, deviceArena;
  // Which of the two copies of the variables is right; both may be.
  mutable bool hostIsCurrent = true;
  bool deviceIsCurrent = false;
  bool derivedIsCurrent = true;
};

/// The variable of that role, or null: there is at most one rng, one learning rate.
const formwork_variable *findVariable(const formwork_model &, formwork_role);

} // namespace formwork::runtime
