// Learning rates that follow the number of steps taken: keras.optimizers.schedules.
#pragma once

#include "ir/Expr.h"
#include "passes/training/KerasObject.h"

#include <functional>

namespace formwork {

/// The learning rate at a step, which is counted from 0: both f32 and of rank 0.
using Schedule = std::function<Expr(Expr step)>;

/// Null, with problems reported, if the object is no schedule that is known.
Schedule readSchedule(mlir::Attribute keras, Problems &problems);

} // namespace formwork
