// The report is text: for each check its findings, each a character and the text with a zero behind
// it, then a line that says that the check has ended. What is not there, the process did not live
// to say.
#include "tests/numeric/RowProcess.h"

#include "mlir/IR/MLIRContext.h"

#include <csignal>
#include <cstring>
#include <sys/wait.h>
#include <unistd.h>

namespace formwork::test {

/// A row that takes longer hangs.
static constexpr unsigned secondsPerRow = 300;

static constexpr char finding = '-', end = '.';

RowProcess::RowProcess(const Row &row, Executor &executor, std::vector<size_t> wanted)
    : row(row), executor(executor), wanted(std::move(wanted)) {}

void RowProcess::start() {
  executor.prepare();
  int ends[2];
  if (pipe(ends) != 0)
    std::abort();
  // What is buffered would be written twice.
  std::fflush(nullptr);
  process = fork();
  if (process < 0)
    std::abort();
  if (process == 0) {
    close(ends[0]);
    run(ends[1]);
  }
  close(ends[1]);
  report = ends[0];
}

static void send(int out, char kind, const std::string &text) {
  std::string message = kind + text + '\0';
  for (size_t sent = 0; sent < message.size();) {
    ssize_t count = write(out, message.data() + sent, message.size() - sent);
    if (count <= 0)
      _exit(1);
    sent += count;
  }
}

void RowProcess::run(int out) {
  alarm(secondsPerRow);
  auto context = makeContext();
  CompiledRow compiled(row, executor, *context);
  std::vector<Check> checks = checksOf(row);
  for (size_t i : wanted) {
    for (const std::string &text : (compiled.*checks[i].find)())
      send(out, finding, text);
    send(out, end, "");
  }
  // Nothing here needs to be taken down in order.
  _exit(0);
}

static std::string readAll(int in) {
  std::string all;
  char part[4096];
  for (ssize_t count; (count = read(in, part, sizeof part)) > 0;)
    all.append(part, count);
  close(in);
  return all;
}

static std::string fateOf(int status) {
  if (WIFSIGNALED(status))
    return std::string("the process was ended by a signal: ") + strsignal(WTERMSIG(status));
  return "the process ended with status " + std::to_string(WEXITSTATUS(status));
}

void RowProcess::readReport() {
  std::string text = readAll(report);
  int status;
  waitpid(process, &status, 0);
  size_t at = 0;
  for (size_t check : wanted) {
    Findings &findings = found[check];
    while (at < text.size() && text[at] == finding) {
      findings.push_back(text.c_str() + at + 1);
      at += findings.back().size() + 2;
    }
    if (at >= text.size())
      findings.push_back(fateOf(status));
    else
      at += 2;
  }
  report = -1;
}

const Findings &RowProcess::findings(size_t check) {
  if (report >= 0)
    readReport();
  return found.at(check);
}

} // namespace formwork::test
