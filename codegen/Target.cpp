// The registry of targets, and reading --target.
#include "codegen/Target.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace formwork {

#define FORMWORK_TARGET(folder) const Target &folder##Target();
#include "codegen/Targets.inc"
#undef FORMWORK_TARGET

ArrayRef<const Target *> targets() {
#define FORMWORK_TARGET(folder) &folder##Target(),
  static const Target *const all[] = {
#include "codegen/Targets.inc"
  };
#undef FORMWORK_TARGET
  return all;
}

static const Machine *findMachine(const Target &target, StringRef name) {
  const Machine *found = llvm::find_if(
      target.machines(), [&](const Machine &machine) { return machine.name == name; });
  return found == target.machines().end() ? nullptr : found;
}

static std::string allNames() {
  SmallVector<StringRef> names;
  for (const Target *target : targets())
    for (const Machine &machine : target->machines())
      names.push_back(machine.name);
  return llvm::join(names, ", ");
}

/// Adds one machine; says what is wrong with it, or nothing.
static std::string add(TargetChoice &choice, const Target &target, const Machine &machine) {
  if (!target.isAccelerator()) {
    if (choice.onHost)
      return ("'" + choice.host.name + "' and '" + machine.name +
              "' are both CPUs; a model is compiled for one of them")
          .str();
    choice.onHost = true;
    choice.cpu = &target;
    choice.host = machine;
    return "";
  }
  if (choice.accelerator && choice.accelerator != &target)
    return ("'" + choice.accelerated.front().name + "' and '" + machine.name +
            "' are accelerators of two kinds; a model is compiled for one of them")
        .str();
  choice.accelerator = &target;
  choice.accelerated.push_back(machine);
  return "";
}

std::optional<TargetChoice> chooseTarget(StringRef names, std::string &problem) {
  TargetChoice choice;
  for (StringRef name : llvm::split(names, ',')) {
    const Machine *machine = nullptr;
    for (const Target *target : targets())
      if (!machine && (machine = findMachine(*target, name.trim())))
        problem = add(choice, *target, *machine);
    if (!machine)
      problem = ("there is no target '" + name + "', only " + allNames()).str();
    if (!problem.empty())
      return std::nullopt;
  }
  // An accelerator's host code, if the CPU was not named, is for this machine.
  for (const Target *target : targets())
    if (!choice.cpu && !target->isAccelerator()) {
      choice.cpu = target;
      choice.host = target->machines().front();
    }
  return choice;
}

} // namespace formwork
