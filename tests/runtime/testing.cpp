// What the runtime's tests share; see testing.h.
#include "tests/runtime/testing.h"

#include "runtime/Error.h"
#include "tests/runtime/linear_model.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

using namespace formwork::runtime;

namespace {
struct Folder {
  std::filesystem::path path;
  Folder() {
    char pattern[] = "/tmp/formwork-test-XXXXXX";
    path = mkdtemp(pattern);
  }
  ~Folder() { std::filesystem::remove_all(path); }
};
} // namespace

static const Folder &folder() {
  static Folder folder;
  return folder;
}

std::string temporary(const std::string &name) { return folder().path / name; }

std::string python(const std::string &script) {
  const char *interpreter = getenv("FORMWORK_PYTHON");
  if (!interpreter) {
    ADD_FAILURE() << "FORMWORK_PYTHON must name a Python with NumPy and Keras";
    return "";
  }
  std::ofstream(temporary("script.py")) << script;
  std::string command =
      text("cd '%s' && '%s' script.py 2>errors", folder().path.c_str(), interpreter);
  FILE *pipe = popen(command.c_str(), "r");
  std::string output;
  char buffer[4096];
  while (size_t got = fread(buffer, 1, sizeof(buffer), pipe))
    output.append(buffer, got);
  if (pclose(pipe) != 0)
    ADD_FAILURE() << std::ifstream(temporary("errors")).rdbuf();
  return output;
}

Array makeArray(const std::string &name, std::vector<int64_t> shape,
                const std::vector<float> &values) {
  auto owned = std::make_shared<std::vector<float>>(values);
  return {"",
          name,
          ElementType::F32,
          std::move(shape),
          reinterpret_cast<const std::byte *>(owned->data()),
          owned};
}

std::vector<Array> linearData(int64_t rows) {
  std::vector<float> x(rows * 3), y(rows);
  uint32_t state = 1;
  for (float &value : x) {
    state = state * 1664525 + 1013904223;
    value = float(state >> 8) * 0x1p-23f - 1;
  }
  for (int64_t i = 0; i < rows; ++i)
    y[i] = x[i * 3] - 2 * x[i * 3 + 1] + 0.5f * x[i * 3 + 2] + 0.3f;
  return {makeArray("x", {rows, 3}, x), makeArray("y", {rows}, y)};
}

Dataset linearDataset(int64_t rows) {
  return makeDataset(linearData(rows), "memory", *findEntry(*linear_model(), "train_step"),
                     Part::Training);
}
