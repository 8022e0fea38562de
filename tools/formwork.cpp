// The compiler's command line.
#include "tools/commands/Commands.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <cstdio>
#include <exception>

static const char *introduction =
    R"(Compiles a Keras model, training included, into a small native program or library.)";

static const char *examples = R"(Examples:
  formwork compile digits.keras -o digits --train     a program that trains, evaluates, predicts
  formwork compile digits.keras -o libdigits.a --emit=static      an inference library and digits.h
  formwork train digits.keras --data train.npz --epochs 10 -o trained.keras
  formwork summary digits.keras

MODEL is a .keras archive, an .h5 file or the JSON of model.to_json(); the content says which.
Exit status: 0 success, 1 something is wrong with the model or the data, 2 with the command line.)";

/// Runs the command line; what it returns is the exit status.
static int run(int argc, char **argv) {
  CLI::App program(introduction, "formwork");
  program.footer(examples);
  program.require_subcommand(1);
  program.set_version_flag("--version", "formwork " FORMWORK_VERSION);
  int status = 0;
  formwork::addCompileCommand(program, status);
  formwork::addSummaryCommand(program, status);
  formwork::addPlotCommand(program, status);
  formwork::addRunCommands(program, status);
  formwork::addVerifyCommand(program, status);
  formwork::addOpsCommand(program, status);
  formwork::addTargetsCommand(program, status);
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return program.exit(error) == 0 ? 0 : formwork::wrongUsage;
  }
  return status;
}

int main(int argc, char **argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "formwork: %s\n", error.what());
    return formwork::wrongInput;
  }
}
