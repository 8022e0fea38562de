// Square blocks turned in registers.
#pragma once

#include "codegen/kernel/Writer.h"

namespace formwork {

/// Turns an array of registers, of as many vectors as each has lanes, a power of two: element j of
/// vector i changes places with element i of vector j.
void transposeInRegisters(Writer &writer, mlir::Value rows);

} // namespace formwork
