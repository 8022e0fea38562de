// A model compiled through the whole pipeline, whose entries are called by name: what a produced
// library's caller does, on arrays.
#pragma once

#include "tests/numeric/Executor.h"

#include <map>
#include <set>

namespace formwork::test {

using Arrays = std::map<std::string, Array>;

class TrainedModel {
public:
  /// `text` is a module as a front end writes it, of whose functions these are compiled. That it
  /// does not compile is a failure of the test.
  TrainedModel(const std::string &text, const std::set<std::string> &functions);
  ~TrainedModel();

  /// Calls a function with buffers by role and name ("target head", "gradient dense/kernel") and
  /// returns those it fills by name. Variables change as the function says.
  Arrays call(const std::string &function, const Arrays &buffers = {});

  /// By name; zeros before the first call. `order` is the module's, `paths` says where in a Keras
  /// archive each belongs.
  Arrays variables;
  std::vector<std::string> order;
  std::map<std::string, std::string> paths;

private:
  struct Parameter {
    std::string name;
    bool isVariable;
    Array blank;
  };
  struct Signature {
    std::vector<Parameter> arguments, results;
  };

  void readVariables(mlir::ModuleOp module);
  void readSignatures(mlir::ModuleOp module);

  std::unique_ptr<mlir::MLIRContext> context;
  std::unique_ptr<Program> program;
  std::map<std::string, Signature> signatures;
};

} // namespace formwork::test
