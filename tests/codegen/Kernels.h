// The table of kernels that are tested: a row is a kernel's text and the sizes it is run with.
#pragma once

#include "tests/codegen/Harness.h"

namespace formwork::testing {

struct KernelRow {
  std::string name;
  std::string text;
  std::vector<Sizes> sizes;
  bool mayBeDynamic = true;
  double tolerance = 1e-5;
  bool positive = false;
  int indexLimit = 4;
};

const std::vector<KernelRow> &kernelRows();

} // namespace formwork::testing
