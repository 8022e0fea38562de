// The configurations that Keras 2 wrote into .h5 files, as Keras 3 writes them.
#pragma once

#include "frontend/Json.h"

#include <string>

namespace formwork::keras {

/// model_config: shapes of inputs, arguments that have other names or are gone, and calls in the
/// format of Keras 3. What there is no Keras 3 for stays as it is, to be refused by name.
std::string fromKeras2(const Json &model);

/// training_config: the same for optimizer, losses and metrics.
std::string trainingFromKeras2(const Json &training);

} // namespace formwork::keras
