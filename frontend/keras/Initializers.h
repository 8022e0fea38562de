// Keras's initializers, which go through the compiler as attributes: `init` is made from them.
#pragma once

#include "frontend/Json.h"

#include "mlir/IR/BuiltinAttributes.h"

#include <string>

namespace formwork::keras {

/// "" for an initializer of Keras's own with plain numbers as arguments, else what is wrong.
std::string isInitializer(const Json &value);

/// {class_name = "GlorotUniform", config = {seed = unit}}, with Keras's defaults filled in.
mlir::DictionaryAttr initializerAttribute(mlir::MLIRContext &context, const Json &value);

/// One vector made of several: {class_name = "Concatenate", config = {parts = [{size,
/// initializer}]}}. Not a class of Keras: it is how an LSTM's bias begins.
struct InitializerPart {
  int64_t size;
  mlir::DictionaryAttr initializer;
};
mlir::DictionaryAttr concatenated(mlir::MLIRContext &context,
                                  llvm::ArrayRef<InitializerPart> parts);

/// The attribute of an initializer without arguments: "Ones", "Zeros".
mlir::DictionaryAttr plainInitializer(mlir::MLIRContext &context, llvm::StringRef className);

} // namespace formwork::keras
