// What samples of a class count, as `class_weight` of Keras's fit: weights of samples that are made
// of their labels.
//
// Refuses, as Keras does, models with several outputs and data that bring weights of their own.
#pragma once

#include "runtime/data/Dataset.h"

#include <map>
#include <string>

namespace formwork::runtime {

/// By label; a label that is not there counts 1.
using ClassWeights = std::map<int64_t, double>;

/// Reads `0:1,1:2.5`, or the same as a JSON object, `{"0": 1, "1": 2.5}`. An Error says what is no
/// label or no number.
ClassWeights parseClassWeights(const std::string &words);

/// Gives each of the first `rows` samples the weight of its label, the others 1: the class of a
/// distribution is its largest number's. An Error if the data or the model do not allow it.
void applyClassWeights(Dataset &, const ClassWeights &, int64_t rows);

} // namespace formwork::runtime
