// .keras archives, through a module that is loaded when the first one is asked for.
#pragma once

#include "runtime/io/Checkpoint.h"

namespace formwork::runtime {

void saveKerasArchive(const std::string &file, const Instance &, const Position &);
Position loadKerasArchive(const std::string &file, Instance &);

} // namespace formwork::runtime
