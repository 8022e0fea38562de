// The formulas of Keras's activation functions, as keras/src/backend/tensorflow/nn.py has them.
#pragma once

#include "ir/Expr.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/StringRef.h"

#include <optional>
#include <vector>

namespace formwork::keras {

using ActivationFunction = Expr (*)(Expr x);

/// A function by Keras's name for it, which takes any float tensor; null if there is none.
ActivationFunction lookUpActivation(llvm::StringRef name);

/// Of the two that work on a whole last axis, whose size must be fixed: glu halves it.
ActivationFunction lookUpAxisActivation(llvm::StringRef name);

/// All of both kinds.
std::vector<llvm::StringRef> activationNames();

// Those that take arguments.
Expr relu(Expr x, double negativeSlope, std::optional<double> maxValue, double threshold);
Expr leakyRelu(Expr x, double negativeSlope);
Expr elu(Expr x, double alpha);
/// Over several axes, from the front, at once.
Expr softmax(Expr x, llvm::ArrayRef<int64_t> axes);

} // namespace formwork::keras
