// What the runtime's tests share: a folder of their own, Python, data for the linear model.
#pragma once

#include "runtime/data/Dataset.h"

#include <string>
#include <vector>

/// A path in a folder that is empty when the test begins and gone when the program ends.
std::string temporary(const std::string &name);

/// Runs a Python script in that folder with the interpreter in FORMWORK_PYTHON (which has NumPy and
/// Keras) and returns what it printed; fails the test if the script fails.
std::string python(const std::string &script);

/// Runs a function that must throw an Error; returns its message.
template <typename Function> std::string messageOf(Function function) {
  try {
    function();
  } catch (const std::exception &error) {
    return error.what();
  }
  return "(no error)";
}

/// An array that owns its values.
formwork::runtime::Array makeArray(const std::string &name, std::vector<int64_t> shape,
                                   const std::vector<float> &values);

/// Rows for the linear model: y = x . (1, -2, 0.5) + 0.3.
std::vector<formwork::runtime::Array> linearData(int64_t rows);
formwork::runtime::Dataset linearDataset(int64_t rows);
