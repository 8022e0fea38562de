// Windows of signals, as scipy.signal.get_window makes them.
#pragma once

#include "llvm/ADT/StringRef.h"

#include <optional>
#include <string>
#include <vector>

namespace formwork {

/// The window of that name, of `length` values: symmetric, or the beginning of one that is longer
/// by one and so repeats. Nothing for a name that SciPy does not know or whose window has
/// parameters that must be given.
std::optional<std::vector<double>> signalWindow(llvm::StringRef name, int64_t length,
                                                bool periodic);

/// The names there are, with commas between.
std::string signalWindowNames();

} // namespace formwork
