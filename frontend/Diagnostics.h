// Collects everything that is wrong with a model file, to be told at once.
//
// Text from the file is shown escaped and cut, never raw: a name may hold terminal escapes.
#pragma once

#include "frontend/Json.h"

#include "mlir/IR/Location.h"
#include "mlir/Support/LLVM.h"

#include <string>
#include <vector>

namespace formwork {

/// 'text', printable, at most some eighty characters long.
std::string quoted(std::string_view text);

class Diagnostics {
public:
  /// `file` is what the user called it.
  Diagnostics(mlir::MLIRContext &context, std::string file) : context(context), file(file) {}

  /// From now on positions are in this text and `newRoot` is what it says, if that is known; both
  /// must stay alive.
  void setText(std::string_view newText, const Json *newRoot);

  /// Where in the file `value` stands.
  mlir::FileLineColLoc locate(const Json &value) const { return locate(value.offset()); }
  mlir::FileLineColLoc locate(uint32_t offset) const;

  /// Something wrong with the file as a whole.
  mlir::LogicalResult add(std::string message);
  /// Something wrong at a position of the text.
  mlir::LogicalResult addAt(uint32_t offset, std::string message);
  /// Something wrong at `value`; the message says what, why and what to do.
  mlir::LogicalResult add(const Json &value, std::string message);
  /// The same for a layer: "layer 'x' (Dense) at /config/layers/1: message".
  mlir::LogicalResult addLayer(const Json &value, std::string_view layer,
                               std::string_view className, std::string message);

  size_t count() const { return problems.size() + dropped; }
  /// What is wrong, without where.
  std::vector<std::string> messages() const;
  /// Emits one error with a note for each problem, if there are any; success if there are none.
  mlir::LogicalResult report();

private:
  struct Problem {
    mlir::Location location;
    std::string message;
  };
  mlir::LogicalResult add(mlir::Location location, std::string message);

  mlir::MLIRContext &context;
  std::string file;
  static constexpr size_t blockSize = 4096;
  std::string_view text;
  std::vector<unsigned> linesBefore; // each block of the text
  const Json *root = nullptr;
  std::vector<Problem> problems;
  size_t dropped = 0;
};

} // namespace formwork
