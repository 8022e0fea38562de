// Where the rows of a tensor are when its two leading dimensions are one.
#pragma once

#include "ir/Expr.h"

namespace formwork {

/// Of x [n, t, ...] the i64 [n, t] that hold i * t + j: for reading by rows what a reshape cannot
/// split, since n and t are both unknown.
Expr placesOfRows(Expr x);

} // namespace formwork
