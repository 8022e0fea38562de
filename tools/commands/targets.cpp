// formwork targets
#include "codegen/Target.h"
#include "tools/commands/Commands.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/TargetParser/Host.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace formwork {

void addTargetsCommand(CLI::App &program, int &status) {
  CLI::App *command = program.add_subcommand("targets", "The machines that --target can name");
  command->callback([&status] {
    for (const Target *target : targets())
      for (const Machine &machine : target->machines())
        llvm::outs() << llvm::formatv("  {0,-18} {1}\n", machine.name, machine.help);
    llvm::outs()
        << "\nSeveral GPUs may be named, and a CPU beside them: host,cuda:sm_80,cuda:sm_90\n";
    llvm::outs() << llvm::formatv("\nThis machine: {0} {1}\n", llvm::sys::getDefaultTargetTriple(),
                                  llvm::sys::getHostCPUName());
    status = 0;
  });
}

} // namespace formwork
