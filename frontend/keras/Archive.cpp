// Reads a `.keras` archive from memory through libzip.
#include "frontend/keras/Archive.h"

#include "frontend/Diagnostics.h"
#include "runtime/data/MemberName.h"

#include <zip.h>

#include <memory>
#include <set>

namespace formwork::keras {

// Keras writes three members, and a few more for the assets of layers with vocabularies.
static constexpr size_t mostMembers = 1000;
static constexpr uint64_t fixedPart = uint64_t(24) << 20;

bool isArchive(std::string_view bytes) { return bytes.substr(0, 4) == "PK\x03\x04"; }

/// libzip allocates for each member of the directory before it can be asked how many there are.
static bool hasTooManyMembers(std::string_view bytes) {
  constexpr std::string_view signature = "PK\x01\x02";
  size_t members = 0;
  for (size_t at = bytes.find(signature); at != bytes.npos && members <= mostMembers;
       at = bytes.find(signature, at + signature.size()))
    ++members;
  return members > mostMembers;
}

using Zip = std::unique_ptr<zip_t, decltype(&zip_discard)>;

namespace {
/// The bytes of a member, or what is wrong with it.
struct Member {
  std::string bytes, problem;
};
} // namespace

static Member failed(const char *name, const std::string &problem) {
  return {"", "its member " + std::string(name) + " " + problem};
}

static Member readMember(zip_t *zip, const char *name, uint64_t limit) {
  zip_stat_t stat;
  zip_int64_t index = zip_name_locate(zip, name, 0);
  if (index < 0 || zip_stat_index(zip, index, 0, &stat) != 0 || !(stat.valid & ZIP_STAT_SIZE))
    return failed(name, "is missing");
  if (stat.size > limit)
    return failed(name, "claims to unpack to " + std::to_string(stat.size) +
                            " bytes, which is too much for an archive of this size");
  std::unique_ptr<zip_file_t, decltype(&zip_fclose)> file(zip_fopen_index(zip, index, 0),
                                                          zip_fclose);
  if (!file)
    return failed(name, "cannot be read: " + std::string(zip_strerror(zip)));

  Member member;
  member.bytes.resize(stat.size);
  uint64_t done = 0;
  while (done < stat.size) {
    zip_int64_t count = zip_fread(file.get(), member.bytes.data() + done, stat.size - done);
    if (count <= 0)
      return failed(name, "is truncated or corrupt");
    done += count;
  }
  // Reading past the end is what makes libzip compare the checksum.
  char beyond;
  if (zip_fread(file.get(), &beyond, 1) != 0)
    return failed(name, "is corrupt: its size or checksum is wrong");
  return member;
}

/// What is wrong with the members' names; empty if nothing is. Nothing is ever unpacked to a file,
/// but who makes such archives has nothing good in mind. Of two members of one name, readers choose
/// differently: what was looked at before need not be what is read now.
static std::string wrongName(zip_t *zip) {
  std::set<std::string_view> names;
  for (zip_int64_t i = 0; i < zip_get_num_entries(zip, 0); ++i) {
    const char *name = zip_get_name(zip, zip_uint64_t(i), ZIP_FL_ENC_RAW);
    if (!name)
      return "it has a member without a readable name";
    if (leadsOut(name))
      return "it has a member that would lie outside of it, " + quoted(name);
    if (!names.insert(name).second)
      return "it has two members called " + quoted(name);
  }
  return "";
}

std::variant<Archive, std::string> unpack(std::string bytes) {
  if (hasTooManyMembers(bytes))
    return "this archive has more than " + std::to_string(mostMembers) + " members";
  uint64_t limit = fixedPart + 2 * bytes.size();

  zip_error_t error;
  zip_error_init(&error);
  auto message = [&] {
    std::string text = zip_error_strerror(&error);
    zip_error_fini(&error);
    return "this looks like a .keras archive, but it is truncated or corrupt: " + text;
  };
  zip_source_t *source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  if (!source)
    return message();
  Zip zip(zip_open_from_source(source, ZIP_RDONLY, &error), zip_discard);
  if (!zip) {
    zip_source_free(source);
    return message();
  }

  if (std::string problem = wrongName(zip.get()); !problem.empty())
    return "this archive is not to be trusted: " + problem;
  Member config = readMember(zip.get(), "config.json", limit);
  if (!config.problem.empty())
    return "this archive is no Keras model: " + config.problem;
  if (zip_name_locate(zip.get(), "model.weights.npz", 0) >= 0)
    return std::string("this archive keeps its weights in model.weights.npz, which is not "
                       "supported; save the model with weights_format=\"h5\"");
  Member weights = readMember(zip.get(), "model.weights.h5", limit);
  if (!weights.problem.empty())
    return "the weights of this archive cannot be read: " + weights.problem;
  return Archive{std::move(config.bytes), std::move(weights.bytes)};
}

} // namespace formwork::keras
