// A diagram in Graphviz's language.
#pragma once

#include "frontend/Diagram.h"

#include "llvm/ADT/StringRef.h"

namespace formwork {

/// `direction` is Graphviz's rankdir: TB, LR, BT or RL. Names come in escaped and cut.
std::string printDot(const Diagram &diagram, llvm::StringRef direction);

} // namespace formwork
