// Compiles a kernel twice, scheduled and as plain scalar loops, and runs both.
//
// A kernel is text with {M}, {N}, ... for sizes. The scheduled one is compiled with these sizes
// static or unknown, the plain one always with static sizes and by other passes (upstream
// bufferization and loops, libm).
#pragma once

#include "codegen/cpu/Target.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace formwork::testing {

enum class Element { Bool, I32, I64, F32, F64 };

/// A row-major array of any element type.
struct Array {
  Element element;
  std::vector<int64_t> shape;
  std::vector<char> bytes;

  int64_t size() const;
  double at(int64_t index) const;
  void set(int64_t index, double value);
};

using Sizes = std::map<std::string, int64_t>;

/// The kernel's text with these sizes, or with unknown ones.
std::string substitute(std::string text, const Sizes &sizes, bool dynamic);
/// Arrays of the types of a function's arguments.
std::vector<Array> prototypesOf(mlir::func::FuncOp function);
/// A context that has all dialects and can translate to LLVM.
std::unique_ptr<mlir::MLIRContext> makeContext();

struct Options {
  bool dynamic = false; // sizes that are unknown when compiled
  CPUTarget target;
  std::string cpu; // empty: this machine
};

/// A kernel ready to run.
class Compiled {
public:
  static std::unique_ptr<Compiled> scheduled(const std::string &text, const Sizes &sizes,
                                             const Options &options = {});
  static std::unique_ptr<Compiled> plain(const std::string &text, const Sizes &sizes);
  ~Compiled();

  /// Arrays of the function's arguments' types.
  std::vector<Array> arguments() const;
  unsigned outputs() const;

  int64_t chunks(std::vector<Array> &arguments);
  void run(std::vector<Array> &arguments, int64_t begin, int64_t end);
  /// All chunks.
  void run(std::vector<Array> &arguments);

private:
  struct State;
  explicit Compiled(std::unique_ptr<State> state);
  std::unique_ptr<State> state;
};

} // namespace formwork::testing
