// The cases of the table of kernels, and how results are compared: the same for every target.
#pragma once

#include "tests/codegen/Kernels.h"

#include <gtest/gtest.h>

namespace formwork::testing {

struct Case {
  const KernelRow *row;
  Sizes sizes;
  bool dynamic;
};

std::vector<Case> allCases();
std::string nameOf(const ::testing::TestParamInfo<Case> &info);

void fill(std::vector<Array> &arrays, const KernelRow &row);
/// What plain loops make of these arrays.
std::vector<Array> runPlain(const Case &param, const std::vector<Array> &start);
/// All of them, to the row's tolerance.
void expectClose(const std::vector<Array> &actual, const std::vector<Array> &expected,
                 const KernelRow &row);

} // namespace formwork::testing
