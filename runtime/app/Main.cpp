// The command line of a produced program. Every mistake ends in a diagnostic and an exit status,
// never in an exception that leaves `formwork_main`.
#include "runtime/Error.h"
#include "runtime/app/Options.h"
#include "runtime/formwork_runtime.h"

#include <cstdio>
#include <cstring>
#include <new>

using namespace formwork::runtime;

/// Prints the message, every line after the program's name, and returns the status.
static int fail(const char *path, const char *message, int status) {
  const char *slash = strrchr(path, '/');
  const char *program = slash ? slash + 1 : path;
  fflush(stdout);
  for (const char *line = message; line;) {
    const char *end = strchr(line, '\n');
    int length = end ? int(end - line) : int(strlen(line));
    fprintf(stderr, "%s: %.*s\n", program, length, line);
    line = end ? end + 1 : nullptr;
  }
  return status;
}

int formwork_main(int argc, char **argv, const formwork_model *model) {
  const char *program = argc ? argv[0] : model->name;
  try {
    checkInterface(*model);
    std::optional<Options> options = parseOptions(argc, argv, *model);
    int status = options ? options->command->run(*model, *options) : 0;
    if (fflush(stdout) || ferror(stdout))
      return fail(program, "standard output cannot be written", 1);
    return status;
  } catch (const UsageError &error) {
    return fail(program, error.what(), 2);
  } catch (const std::bad_alloc &) {
    return fail(program,
                "not enough memory for the data and the model's arena; try a smaller "
                "--batch-size, or give less data",
                1);
  } catch (const std::exception &error) {
    return fail(program, error.what(), 1);
  }
}
