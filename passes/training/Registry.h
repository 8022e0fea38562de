// What there is of Keras's training, by class name; each list is that of the table it is read with.
#pragma once

#include "llvm/ADT/StringRef.h"

#include <vector>

namespace formwork {

std::vector<llvm::StringRef> optimizerNames();
std::vector<llvm::StringRef> scheduleNames();
std::vector<llvm::StringRef> lossNames();
std::vector<llvm::StringRef> metricNames();
std::vector<llvm::StringRef> initializerNames();
std::vector<llvm::StringRef> regularizerNames();
std::vector<llvm::StringRef> constraintNames();

} // namespace formwork
