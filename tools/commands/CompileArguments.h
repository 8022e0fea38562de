// The part of a command line that says how a model is compiled.
#pragma once

#include "tools/Compile.h"

#include <CLI/App.hpp>

namespace formwork {

/// MODEL, a required positional argument.
void addModel(CLI::App &command, CompileOptions &options);
/// --optimizer, --loss, --metrics, --learning-rate.
void addSettings(CLI::App &command, CompileOptions &options);
/// --target, --signature, --max-arena.
void addTarget(CLI::App &command, CompileOptions &options);

/// The file's name without its ending, as a C identifier; --name if that was given.
std::string modelName(const CompileOptions &options);

} // namespace formwork
