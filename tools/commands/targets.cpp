// formwork targets
#include "tools/Compile.h"
#include "tools/commands/Commands.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/TargetParser/Host.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

namespace formwork {

void addTargetsCommand(CLI::App &program, int &status) {
  CLI::App *command = program.add_subcommand("targets", "The machines that --target can name");
  command->callback([&status] {
    for (const Target &target : targets())
      llvm::outs() << llvm::formatv("  {0,-12} {1}\n", target.name, target.help);
    llvm::outs() << llvm::formatv("\nThis machine: {0} {1}\n", llvm::sys::getDefaultTargetTriple(),
                                  llvm::sys::getHostCPUName());
    status = 0;
  });
}

} // namespace formwork
