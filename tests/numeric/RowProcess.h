// A row's checks in a process of their own: what kills it fails this row, and rows run side by
// side.
#pragma once

#include "tests/numeric/Checks.h"

#include <map>

namespace formwork::test {

class RowProcess {
public:
  /// To run these of checksOf(row).
  RowProcess(const Row &row, Executor &executor, std::vector<size_t> wanted);

  const Row &row;
  Executor &executor;

  bool started() const { return process != 0; }
  void start();
  /// What the check found; waits for the process to end. It must have been started.
  const Findings &findings(size_t check);

private:
  [[noreturn]] void run(int out);
  void readReport();

  std::vector<size_t> wanted;
  int process = 0, report = -1;
  std::map<size_t, Findings> found;
};

} // namespace formwork::test
