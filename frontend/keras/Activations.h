// Keras's activations as a file writes them: names and objects, for `activation=` arguments and the
// Activation layer.
#pragma once

#include "frontend/keras/Arguments.h"
#include "ir/Expr.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <string>

namespace formwork::keras {

class LayerCall;
struct Tensor;

/// "" for null, the name of a supported function or an object of a supported layer, else what is
/// wrong. Not for those that need a last axis of fixed size, which isAnyActivation lets pass.
std::string isActivation(const Json &value);
std::string isAnyActivation(const Json &value);

/// Applies what isActivation approved to a float tensor.
mlir::Value activate(mlir::ImplicitLocOpBuilder &builder, const Json &activation, mlir::Value x);

/// Applies what isAnyActivation approved; the last dimension may become another.
mlir::LogicalResult activate(LayerCall &call, const Json &activation, Tensor &x);

/// A layer that only activates, without variables: it may be another layer's activation too.
struct ActivationLayer {
  llvm::StringRef name;
  ArgumentTable arguments;
  Expr (*apply)(const Arguments &arguments, Expr x);
};

/// Null if there is no such layer.
const ActivationLayer *lookUpActivationLayer(llvm::StringRef className);

} // namespace formwork::keras
