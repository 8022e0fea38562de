// The subcommands of `formwork`, each in a file of its own.
#pragma once

#include <CLI/App.hpp>

namespace formwork {

/// What the program returns: 0, or one of these.
enum ExitStatus {
  wrongInput = 1, ///< The user's model or data; diagnostics have been printed.
  wrongUsage = 2  ///< The command line.
};

/// Each adds its subcommand, which when it is chosen sets `status`.
void addCompileCommand(CLI::App &program, int &status);
void addSummaryCommand(CLI::App &program, int &status);
void addPlotCommand(CLI::App &program, int &status);
void addRunCommands(CLI::App &program, int &status);
void addVerifyCommand(CLI::App &program, int &status);
void addOpsCommand(CLI::App &program, int &status);
void addTargetsCommand(CLI::App &program, int &status);

} // namespace formwork
