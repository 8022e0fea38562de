// CUDA C++ to machine code, through NVRTC.
//
// NVRTC is looked for when a model is compiled for CUDA, and needed only then: FORMWORK_NVRTC (the
// path of its library), CUDA_HOME, the system's toolkit, and the pip package nvidia-cuda-nvrtc of
// the active virtual environment.
#pragma once

#include "codegen/cuda/Resources.h"

#include "mlir/IR/Location.h"
#include "llvm/ADT/SmallVector.h"

#include <memory>

namespace formwork::cuda {

/// What is compiled for: sm_90, sm_90a.
struct Architecture {
  int capability;   ///< 90
  bool exact;       ///< With the instructions that later GPUs do not have: the `a` of sm_90a.
  std::string name; ///< "sm_90a"

  static std::optional<Architecture> parse(llvm::StringRef name);
};

enum class Form { Cubin, PTX };

struct CompiledKernels {
  llvm::SmallVector<char, 0> code;  ///< A cubin, or PTX with its NUL.
  std::vector<Resources> resources; ///< Per kernel; none for PTX.
};

class Nvrtc {
public:
  /// Null, with an error at `location` that says what to install, where there is none.
  static std::unique_ptr<Nvrtc> load(mlir::Location location);
  virtual ~Nvrtc() = default;

  /// "13.0"
  virtual std::string version() const = 0;
  virtual bool supports(const Architecture &architecture) const = 0;
  /// Compiles `source`, a file called `name`. What NVRTC has against it is an error.
  virtual mlir::FailureOr<CompiledKernels> compile(mlir::Location location, llvm::StringRef source,
                                                   llvm::StringRef name,
                                                   const Architecture &architecture,
                                                   Form form) const = 0;
};

} // namespace formwork::cuda
