// Names of an archive's members that no honest archive has; for all who read archives.
#pragma once

#include <algorithm>
#include <string_view>

namespace formwork {

/// Whether the name is absolute or leads upwards, as `../x` and `a/../../x` do.
inline bool leadsOut(std::string_view name) {
  if (name.starts_with('/') || name.starts_with('\\'))
    return true;
  for (size_t at = 0; at <= name.size();) {
    size_t end = std::min(name.find_first_of("/\\", at), name.size());
    if (name.substr(at, end - at) == "..")
      return true;
    at = end + 1;
  }
  return false;
}

} // namespace formwork
