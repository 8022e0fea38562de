// ZIP archives, as much as .npz needs; see Zip.h. Field by field as APPNOTE.TXT 6.3 has them.
#include "runtime/data/Zip.h"

#include "runtime/Error.h"
#include "runtime/data/MemberName.h"

#include <algorithm>
#include <cstring>
#include <zlib.h>

namespace formwork::runtime {

static constexpr uint32_t memberSignature = 0x04034b50, directorySignature = 0x02014b50,
                          endSignature = 0x06054b50, end64Signature = 0x06064b50,
                          locator64Signature = 0x07064b50;
static constexpr size_t memberHeaderSize = 30, directoryEntrySize = 46, endSize = 22;

//===--- reading ---------------------------------------------------------------------------------

namespace {
/// Little-endian numbers out of a file, none of them beyond its end.
class Reader {
public:
  Reader(std::span<const std::byte> bytes, const std::string &file) : bytes(bytes), file(file) {}

  template <typename T> T number(uint64_t at) const {
    T result;
    memcpy(&result, slice(at, sizeof(T)).data(), sizeof(T));
    return result;
  }
  std::span<const std::byte> slice(uint64_t at, uint64_t size) const {
    if (at > bytes.size() || size > bytes.size() - at)
      fail("is cut short or damaged");
    return bytes.subspan(at, size);
  }
  [[noreturn]] void fail(const char *why) const {
    throw Error(text("%s: the archive %s; write it again with numpy.savez", file.c_str(), why));
  }
  uint64_t size() const { return bytes.size(); }

private:
  std::span<const std::byte> bytes;
  const std::string &file;
};

struct Directory {
  uint64_t offset, count;
};
} // namespace

bool isZip(std::span<const std::byte> bytes) {
  uint32_t signature = 0;
  if (bytes.size() >= endSize)
    memcpy(&signature, bytes.data(), 4);
  return signature == memberSignature || signature == endSignature;
}

/// Where the end record is: at the file's end, before a comment of at most 65535 bytes.
static uint64_t findEnd(const Reader &reader) {
  if (reader.size() < endSize)
    reader.fail("is cut short");
  uint64_t last = reader.size() - endSize;
  for (uint64_t back = 0; back <= std::min<uint64_t>(last, 65535); ++back)
    if (reader.number<uint32_t>(last - back) == endSignature)
      return last - back;
  reader.fail("has no directory; it is cut short");
}

static Directory findDirectory(const Reader &reader) {
  uint64_t end = findEnd(reader);
  Directory directory{reader.number<uint32_t>(end + 16), reader.number<uint16_t>(end + 10)};
  bool has64 = end >= 20 && reader.number<uint32_t>(end - 20) == locator64Signature;
  if (has64) {
    uint64_t end64 = reader.number<uint64_t>(end - 20 + 8);
    if (reader.slice(end64, 56).size() && reader.number<uint32_t>(end64) != end64Signature)
      reader.fail("has a damaged directory");
    directory = {reader.number<uint64_t>(end64 + 48), reader.number<uint64_t>(end64 + 32)};
  }
  return directory;
}

/// Replaces the sizes that did not fit by those of the ZIP64 field.
static void applyZip64(const Reader &reader, uint64_t at, uint64_t size, ZipMember &member) {
  uint64_t end = at + size;
  while (at + 4 <= end) {
    uint16_t kind = reader.number<uint16_t>(at), length = reader.number<uint16_t>(at + 2);
    at += 4;
    if (kind == 1) {
      for (uint64_t *field : {&member.size, &member.compressedSize, &member.headerOffset}) {
        if (*field != UINT32_MAX)
          continue;
        *field = reader.number<uint64_t>(at);
        at += 8;
      }
      return;
    }
    at += length;
  }
}

/// Refuses what no writer of arrays makes; see Zip.h.
static void checkMembers(const std::vector<ZipMember> &members, const Reader &reader) {
  uint64_t limit = (uint64_t(48) << 20) + 3 * reader.size(), unpacked = 0;
  std::vector<std::string_view> names;
  for (const ZipMember &member : members) {
    if (leadsOut(member.name))
      reader.fail(("has a member that would lie outside of it, " + quoted(member.name)).c_str());
    names.push_back(member.name);
    if (member.method == 0)
      continue;
    if (member.size > limit - unpacked)
      reader.fail(text("claims to unpack to more than %llu MiB, far more than its size; if that is "
                       "right, store the arrays instead of compressing them",
                       (unsigned long long)(limit >> 20))
                      .c_str());
    unpacked += member.size;
  }
  std::sort(names.begin(), names.end());
  auto again = std::adjacent_find(names.begin(), names.end());
  if (again != names.end())
    reader.fail(("has two members called " + quoted(*again)).c_str());
}

std::vector<ZipMember> readZipDirectory(const FileBytes &content, const std::string &file) {
  Reader reader(content.bytes, file);
  auto [at, count] = findDirectory(reader);
  if (count > reader.size() / directoryEntrySize)
    reader.fail("claims more members than it has room for");
  std::vector<ZipMember> members;
  for (uint64_t i = 0; i < count; ++i) {
    reader.slice(at, directoryEntrySize);
    if (reader.number<uint32_t>(at) != directorySignature)
      reader.fail("has a damaged directory");
    if (reader.number<uint16_t>(at + 8) & 1)
      reader.fail("is encrypted");
    ZipMember member;
    member.method = reader.number<uint16_t>(at + 10);
    member.checksum = reader.number<uint32_t>(at + 16);
    member.compressedSize = reader.number<uint32_t>(at + 20);
    member.size = reader.number<uint32_t>(at + 24);
    member.headerOffset = reader.number<uint32_t>(at + 42);
    uint64_t nameSize = reader.number<uint16_t>(at + 28);
    uint64_t extraSize = reader.number<uint16_t>(at + 30);
    uint64_t commentSize = reader.number<uint16_t>(at + 32);
    auto name = reader.slice(at + directoryEntrySize, nameSize);
    member.name.assign(reinterpret_cast<const char *>(name.data()), name.size());
    reader.slice(at + directoryEntrySize + nameSize, extraSize);
    applyZip64(reader, at + directoryEntrySize + nameSize, extraSize, member);
    at += directoryEntrySize + nameSize + extraSize + commentSize;
    members.push_back(std::move(member));
  }
  checkMembers(members, reader);
  return members;
}

static FileBytes inflateMember(const Reader &reader, std::span<const std::byte> packed,
                               const ZipMember &member) {
  if (member.size / 1032 > packed.size())
    reader.fail("claims a member larger than its bytes can hold");
  auto result = std::make_shared<std::vector<std::byte>>(member.size + 1); // never null
  z_stream stream = {};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
    throw std::bad_alloc();
  auto *input = reinterpret_cast<const Bytef *>(packed.data());
  auto *output = reinterpret_cast<Bytef *>(result->data());
  size_t inputLeft = packed.size(), outputLeft = member.size;
  int status = Z_OK;
  // zlib counts in 32 bits.
  while (status == Z_OK) {
    uInt in = uInt(std::min<size_t>(inputLeft, 1 << 30));
    uInt out = uInt(std::min<size_t>(outputLeft, 1 << 30));
    stream.next_in = const_cast<Bytef *>(input);
    stream.avail_in = in;
    stream.next_out = output;
    stream.avail_out = out;
    status = inflate(&stream, Z_NO_FLUSH);
    input += in - stream.avail_in;
    inputLeft -= in - stream.avail_in;
    output += out - stream.avail_out;
    outputLeft -= out - stream.avail_out;
  }
  inflateEnd(&stream);
  if (status != Z_STREAM_END || outputLeft)
    reader.fail("has a damaged compressed member");
  return {{result->data(), member.size}, result};
}

static uint32_t checksum(uint32_t crc, std::span<const std::byte> bytes) {
  if (bytes.empty()) // for a null pointer zlib begins anew
    return crc;
  return uint32_t(crc32_z(crc, reinterpret_cast<const Bytef *>(bytes.data()), bytes.size()));
}

FileBytes readZipMember(const FileBytes &content, const std::string &file,
                        const ZipMember &member) {
  Reader reader(content.bytes, file);
  reader.slice(member.headerOffset, memberHeaderSize);
  if (reader.number<uint32_t>(member.headerOffset) != memberSignature)
    reader.fail("has a damaged member");
  uint64_t data = member.headerOffset + memberHeaderSize +
                  reader.number<uint16_t>(member.headerOffset + 26) +
                  reader.number<uint16_t>(member.headerOffset + 28);
  auto packed = reader.slice(data, member.compressedSize);
  FileBytes result{packed, content.owner};
  if (member.method == 8)
    result = inflateMember(reader, packed, member);
  else if (member.method != 0)
    reader.fail("uses a compression other than deflate");
  if (checksum(0, result.bytes) != member.checksum)
    reader.fail("is damaged: a member's checksum does not match");
  return result;
}

//===--- writing ---------------------------------------------------------------------------------

namespace {
/// Appends little-endian numbers.
struct Record {
  std::string bytes;
  template <typename T> Record &operator<<(T number) {
    bytes.append(reinterpret_cast<const char *>(&number), sizeof(T));
    return *this;
  }
};
} // namespace

static uint32_t clamp32(uint64_t value) { return uint32_t(std::min<uint64_t>(value, UINT32_MAX)); }

static constexpr uint16_t version = 45, firstDay = 0x21; // ZIP64; 1 January 1980

/// The fields that a member's own header and its directory entry share.
static void common(Record &record, const ZipMember &member, uint16_t extraSize) {
  auto isWide = [](char c) { return uint8_t(c) >= 0x80; };
  bool utf8 = std::any_of(member.name.begin(), member.name.end(), isWide);
  record << version << uint16_t(utf8 ? 1 << 11 : 0) << uint16_t(0) << uint16_t(0) << firstDay
         << member.checksum << clamp32(member.size) << clamp32(member.size)
         << uint16_t(member.name.size()) << extraSize;
}

void ZipWriter::add(const std::string &name,
                    std::initializer_list<std::span<const std::byte>> pieces) {
  ZipMember member{name, 0, 0, 0, 0, offset};
  for (auto piece : pieces) {
    member.size += piece.size();
    member.checksum = checksum(member.checksum, piece);
  }
  bool large = member.size >= UINT32_MAX;
  Record header;
  header << memberSignature;
  common(header, member, large ? 20 : 0);
  header.bytes += name;
  if (large)
    header << uint16_t(1) << uint16_t(16) << member.size << member.size;
  file.write(header.bytes);
  for (auto piece : pieces)
    file.write(piece.data(), piece.size());
  offset += header.bytes.size() + member.size;
  members.push_back(std::move(member));
}

void ZipWriter::finish() {
  Record directory;
  for (const ZipMember &member : members) {
    Record wide; // those of size, size, offset that do not fit into 32 bits, in this order
    if (member.size >= UINT32_MAX)
      wide << member.size << member.size;
    if (member.headerOffset >= UINT32_MAX)
      wide << member.headerOffset;
    uint16_t extraSize = wide.bytes.empty() ? 0 : uint16_t(4 + wide.bytes.size());
    directory << directorySignature << version;
    common(directory, member, extraSize);
    directory << uint16_t(0) << uint16_t(0) << uint16_t(0) << uint32_t(0)
              << clamp32(member.headerOffset);
    directory.bytes += member.name;
    if (extraSize)
      directory << uint16_t(1) << uint16_t(wide.bytes.size());
    directory.bytes += wide.bytes;
  }
  uint64_t size = directory.bytes.size(), count = members.size();
  bool large = offset + size >= UINT32_MAX || count >= UINT16_MAX;
  if (large) {
    directory << end64Signature << uint64_t(44) << version << version << uint32_t(0) << uint32_t(0)
              << count << count << size << offset;
    directory << locator64Signature << uint32_t(0) << offset + size << uint32_t(1);
  }
  uint16_t shortCount = uint16_t(std::min<uint64_t>(count, UINT16_MAX));
  directory << endSignature << uint16_t(0) << uint16_t(0) << shortCount << shortCount
            << clamp32(size) << clamp32(offset) << uint16_t(0);
  file.write(directory.bytes);
}

} // namespace formwork::runtime
