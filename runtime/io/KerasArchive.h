// .keras archives, through a module that is loaded when the first one is asked for.
#pragma once

#include "runtime/io/Checkpoint.h"

namespace formwork::runtime {

/// An Error if there is no module with which to write or read this file.
void requireKerasModule(const std::string &file);

void saveKerasArchive(const std::string &file, const Instance &, const Position &);
Position loadKerasArchive(const std::string &file, Instance &);

} // namespace formwork::runtime
