// Keras's activation functions by name, for `activation=` arguments and the Activation layer.
#pragma once

#include "frontend/Json.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <string>

namespace formwork::keras {

/// "" for null or the name of a supported function, else what is wrong.
std::string isActivation(const Json &value);

/// Applies a function that isActivation approved to a float tensor.
mlir::Value activate(mlir::ImplicitLocOpBuilder &builder, const Json &activation, mlir::Value x);

} // namespace formwork::keras
