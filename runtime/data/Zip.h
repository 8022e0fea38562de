// ZIP archives, as much as .npz needs: members stored or deflated, ZIP64, no encryption.
//
// Sizes are checked against the bytes that are there before anything is allocated: what deflated
// members unpack to, all together, is at most 48 MiB and three times the archive. Larger arrays are
// for numpy.savez, which stores them: they are read where they lie. Refused as well are two members
// of one name, of which readers choose differently, and names that lead out of the archive.
#pragma once

#include "runtime/io/File.h"

#include <cstdint>
#include <string>
#include <vector>

namespace formwork::runtime {

struct ZipMember {
  std::string name;
  uint16_t method = 0;
  uint32_t checksum = 0;
  uint64_t compressedSize = 0;
  uint64_t size = 0;
  uint64_t headerOffset = 0;
};

bool isZip(std::span<const std::byte>);

/// The members that the archive's directory lists.
std::vector<ZipMember> readZipDirectory(const FileBytes &, const std::string &file);

/// A member's content: in the archive's own bytes if it is stored.
FileBytes readZipMember(const FileBytes &, const std::string &file, const ZipMember &);

/// Writes stored members one after another, always with ZIP64 sizes where they are needed. The same
/// content gives the same bytes: no time is written.
class ZipWriter {
public:
  explicit ZipWriter(ReplacingFile &file) : file(file) {}
  /// A member made of several pieces.
  void add(const std::string &name, std::initializer_list<std::span<const std::byte>> pieces);
  /// Writes the directory. Commit the file afterwards.
  void finish();

private:
  ReplacingFile &file;
  std::vector<ZipMember> members;
  uint64_t offset = 0;
};

} // namespace formwork::runtime
