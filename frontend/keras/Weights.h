// The HDF5 file of a `.keras` archive: variables under paths such as layers/dense/vars/0.
#pragma once

#include "frontend/Model.h"

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace formwork::keras {

class WeightFile {
public:
  /// Opens a file in memory, or says what is wrong with it: what it is.
  static std::variant<WeightFile, std::string> open(std::string bytes);

  WeightFile(WeightFile &&) noexcept;
  ~WeightFile();

  /// How many members a group has; nothing if there is no such group.
  std::optional<uint64_t> members(const std::string &path) const;

  /// The value at `path` as `type`, whose shape it must have and whose element type it is converted
  /// to. On failure `problem` says why.
  std::optional<std::vector<char>> read(const std::string &path, mlir::RankedTensorType type,
                                        std::string &problem);

  /// The text of a string attribute of the file's root; nothing if there is none such.
  std::optional<std::string> attribute(const std::string &name) const;

  /// The strings of a group's attribute in their order; of `name0`, `name1`, ... where Keras has
  /// cut it into parts. Nothing if there is none such.
  std::optional<std::vector<std::string>> names(const std::string &group,
                                                const std::string &name) const;

  /// The paths of all datasets below a group, in alphabetical order; links are not followed.
  std::vector<std::string> datasets(const std::string &group) const;

  /// The type at `path`: float32, float64, int32 or int64 of a static shape; null and a problem if
  /// there is none such.
  mlir::RankedTensorType typeOf(mlir::MLIRContext &context, const std::string &path,
                                std::string &problem);

private:
  struct File;
  explicit WeightFile(std::unique_ptr<File> file);
  std::unique_ptr<File> file;
};

} // namespace formwork::keras
