// The kernels of a model as source to read and to keep: a folder with NAME.cu, a header that says
// how each kernel is launched, and a README.
#include "codegen/cuda/Code.h"

#include "codegen/cuda/HostSchedule.h"
#include "codegen/cuda/Source.h"
#include "codegen/source/FunctionPrinter.h"
#include "codegen/source/Names.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace formwork {

static constexpr char headerStart[] =
    R"(// How the kernels of {0}.cu are launched: on as many blocks, in one dimension, as {0}_blocks_KERNEL
// says, of as many threads as the table says. Its arguments are the kernel's own; only sizes are
// looked at. No shared memory is to be given.
#pragma once

#include <algorithm>
#include <cstdint>

struct {0}_kernel {{
  const char *name;
  int threads;
};

static const {0}_kernel {0}_kernels[] = {{
)";

static constexpr char readmeText[] = R"(# The kernels of {0} for NVIDIA GPUs

`{0}.cu` holds every kernel of the model, as CUDA C++ that needs no header: NVRTC and nvcc compile it
as it is.

```sh
nvcc -cubin -arch=sm_90 -std=c++17 -fmad=false -ftz=true -prec-div=true -prec-sqrt=true {0}.cu
```

The options matter: a fused multiply-add is written where one is meant, denormals are flushed,
divisions and square roots are exact. So results are those of the library that
`formwork compile --target=cuda:sm_90 --emit=shared` makes; that library also holds the schedule by
which kernels are launched, and memory is planned.

`{0}_kernels.h` lists the kernels and counts the blocks of each:

```cpp
int64_t blocks = {0}_blocks_{1}(...); // the kernel's arguments
cuLaunchKernel(kernel, blocks, 1, 1, threads, 1, 1, 0, stream, arguments, nullptr);
```

Arguments are as the kernels declare them: a pointer to a dense, row-major array on the device for
each buffer, followed by those of its sizes that are not fixed, each a 64-bit integer. Above each
kernel stand the layers that it computes and the shapes of its buffers, `?` where they are not fixed.
Buffers that are `__restrict__` do not overlap, unless a kernel updates one in place.
)";

/// The functions that count blocks, one per kernel.
static LogicalResult printBlockCounts(ModuleOp module, StringRef name, raw_ostream &out) {
  source::Language language;
  source::Symbols symbols;
  source::Scope names;
  bool failed = false;
  out << "\nusing std::max;\nusing std::min;\n";
  module.walk([&](func::FuncOp kernel) {
    if (!cuda::isKernel(kernel))
      return;
    auto blocks = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
        kernel, StringAttr::get(kernel.getContext(), kernel.getName() + ".blocks"));
    out << "\n";
    std::string head =
        ("static inline int64_t " + name + "_blocks_" + cuda::kernelName(kernel.getName())).str();
    failed |=
        llvm::failed(source::FunctionPrinter(language, symbols, names, out).print(blocks, head));
  });
  return failure(failed);
}

FailureOr<std::vector<SourceFile>> sourceFolderForCUDA(ModuleOp module, StringRef name, bool tf32) {
  FailureOr<std::string> kernels = printForCUDA(module, tf32);
  if (failed(kernels))
    return failure();
  std::vector<cuda::KernelEntry> listed = cuda::listKernels(module);
  std::string header = llvm::formatv(headerStart, name);
  llvm::raw_string_ostream out(header);
  for (const cuda::KernelEntry &kernel : listed)
    out << llvm::formatv("    {{\"{0}\", {1}},\n", kernel.symbol, kernel.threads);
  out << "};\n";
  if (failed(printBlockCounts(module, name, out)))
    return failure();
  std::string first = listed.empty() ? "kernel" : listed.front().symbol;
  return std::vector<SourceFile>{{name.str() + ".cu", *kernels},
                                 {name.str() + "_kernels.h", header},
                                 {"README.md", llvm::formatv(readmeText, name, first)}};
}

} // namespace formwork
