// Reads ptxas's report, which names a kernel and then tells in two lines what it takes:
//
//   ptxas info    : Compiling entry function 'NAME' for 'sm_90'
//   ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
//   ptxas info    : Used 10 registers, used 1 barriers, 2176 bytes smem
#include "codegen/cuda/Resources.h"

#include "llvm/ADT/SmallVector.h"

using llvm::StringRef;

namespace formwork::cuda {

/// The number before `unit` in a list of numbers with units; 0 if it is not there.
static int64_t amount(StringRef list, StringRef unit) {
  llvm::SmallVector<StringRef> parts;
  list.split(parts, ',');
  for (StringRef part : parts) {
    part = part.trim();
    int64_t number = 0;
    part.consume_front("Used ");
    if (!part.consumeInteger(10, number) && part.trim() == unit)
      return number;
  }
  return 0;
}

std::vector<Resources> readResources(StringRef log) {
  std::vector<Resources> all;
  llvm::SmallVector<StringRef> lines;
  log.split(lines, '\n');
  for (StringRef line : lines) {
    StringRef name = line.split("Compiling entry function '").second;
    if (!name.empty()) {
      all.push_back({name.split('\'').first.str()});
      continue;
    }
    if (all.empty())
      continue;
    if (line.contains("bytes stack frame")) {
      StringRef list = line.substr(line.find_first_of("0123456789"));
      all.back().stackBytes = amount(list, "bytes stack frame");
      all.back().spillBytes = amount(list, "bytes spill stores");
    } else if (line.contains(": Used ")) {
      StringRef list = line.split(": ").second;
      all.back().registers = amount(list, "registers");
      all.back().sharedBytes = amount(list, "bytes smem");
    }
  }
  return all;
}

} // namespace formwork::cuda
