// From the element types of files to those of a model.
//
// Numbers are cast plainly, as Keras casts them (u8 pixels become f32 0..255); what does not fit or
// would be silently changed (a label beyond 32 bits, 2.5 as an index) is a diagnostic, given by
// `checkValues` once over the whole array, so that `convert` need not look.
#pragma once

#include "runtime/Error.h"
#include "runtime/data/Array.h"

namespace formwork::runtime {

/// Casts `count` elements. Either side may be unaligned.
using Convert = void(const std::byte *from, std::byte *to, int64_t count);

/// The cast between two types; a plain copy when they are the same.
Convert *converter(ElementType from, ElementType to);

/// Adds a mistake for the first element that `to` cannot hold or that is not in [0, limit) (if
/// `limit` is not 0), with its position and how many there are.
void checkValues(const Array &, ElementType to, int64_t limit, Mistakes &);

/// Where the array's first number is that is infinite or none, and what it is; empty if all are
/// finite.
std::string findNotFinite(const Array &);

} // namespace formwork::runtime
