// The size of a group's tile: rows by vectors, chosen by a small model of the machine.
#pragma once

#include "codegen/cpu/Schedule.h"

namespace formwork {

/// Decides rowDim, rows, vectors, tileWidth and which operands are packed, from the group's passes.
void chooseBlock(const Kernel &kernel, const CPUTarget &target, Group &group);

} // namespace formwork
