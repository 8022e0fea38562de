// The constant data of a model's code for CUDA: runtime/cuda/interface.h as an object file.
#pragma once

#include "codegen/EntryTable.h"
#include "codegen/cuda/HostSchedule.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/Target/TargetMachine.h"

namespace formwork::cuda {

struct Image {
  int capability;
  bool exact, isPTX;
  llvm::SmallVector<char, 0> data;
};

/// A compiled entry: NAME__body is elsewhere, NAME__program is here.
struct ProgramTable {
  std::string symbol;
  std::vector<EntryBuffer> buffers;
  int64_t dimCount = 0;
  bool straight = false;
};

struct CodeTables {
  std::string symbol; ///< Of the formwork_cuda_code.
  std::vector<Image> images;
  std::vector<KernelEntry> kernels;
  std::string literals;
  std::vector<ProgramTable> programs;
};

/// Empty if the target writes no object files.
llvm::SmallVector<char, 0> emitTables(const CodeTables &tables, llvm::TargetMachine &machine);

} // namespace formwork::cuda
