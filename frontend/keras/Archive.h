// A `.keras` archive: a zip file with config.json, metadata.json and model.weights.h5.
#pragma once

#include <string>
#include <string_view>
#include <variant>

namespace formwork::keras {

struct Archive {
  std::string config;
  /// The HDF5 file's bytes.
  std::string weights;
};

/// True if the bytes begin as a zip file does.
bool isArchive(std::string_view bytes);

/// Unpacks an archive, or says what is wrong with it. Takes the bytes, so that they are gone before
/// the weights are read. Members are never larger than a fixed part plus twice the archive: Keras
/// stores them uncompressed, and whatever claims to unpack to more is not weights.
std::variant<Archive, std::string> unpack(std::string bytes);

} // namespace formwork::keras
