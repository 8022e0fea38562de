// A file of named arrays; see ArrayFile.h.
#include "runtime/data/ArrayFile.h"

#include "runtime/Error.h"
#include "runtime/data/Csv.h"
#include "runtime/data/Npy.h"

namespace formwork::runtime {

/// `data/images.npy` -> `images`
static std::string stem(const std::string &path) {
  size_t slash = path.rfind('/');
  std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  return name.substr(0, name.rfind('.'));
}

ArrayFile::ArrayFile(std::string path) : file(std::move(path)), content(readFile(file)) {
  if (isNpy(content.bytes)) {
    arrayNames = {stem(file)};
  } else if (isZip(content.bytes)) {
    for (ZipMember &member : readZipDirectory(content, file)) {
      if (!endsWith(member.name, ".npy"))
        continue;
      arrayNames.push_back(member.name.substr(0, member.name.size() - 4));
      members.push_back(std::move(member));
    }
  } else if (isCsv(content.bytes)) {
    arrays = readCsv(content, file);
    for (const Array &array : arrays)
      arrayNames.push_back(array.name);
  } else {
    throw Error(
        text("%s: holds no arrays that Formwork can read: a NumPy file (.npz or .npy) or a "
             ".csv file is expected. Write one with numpy.savez(\"data.npz\", x=..., y=...)",
             file.c_str()));
  }
}

Array ArrayFile::read(size_t index) const {
  if (!arrays.empty())
    return arrays[index];
  if (members.empty())
    return readNpy(content, file, arrayNames[index]);
  return readNpy(readZipMember(content, file, members[index]), file, arrayNames[index]);
}

std::vector<std::string> arrayNames(const std::string &path) {
  FileBytes content = readFile(path);
  if (!isNpy(content.bytes) && !isZip(content.bytes) && isCsv(content.bytes))
    return readCsvNames(content, path);
  return ArrayFile(path).names();
}

static std::span<const std::byte> bytesOf(const std::string &words) {
  return std::as_bytes(std::span(words));
}

void checkArraysName(const std::string &path, size_t count) {
  if (endsWith(path, ".npy") ? count == 1 : endsWith(path, ".npz"))
    return;
  throw Error(
      text("%s: give the file a name that ends in .npz (arrays by name)%s", path.c_str(),
           count == 1 ? " or .npy (one array)" : text("; there are %zu arrays", count).c_str()));
}

void writeArrays(const std::string &path, std::span<const Array> arrays) {
  checkArraysName(path, arrays.size());
  bool single = endsWith(path, ".npy");
  ReplacingFile file(path);
  ZipWriter archive(file);
  for (const Array &array : arrays) {
    std::string header = npyHeader(array);
    std::span elements(array.data, size_t(array.bytes()));
    if (single) {
      file.write(header);
      file.write(elements.data(), elements.size());
    } else {
      archive.add(array.name + ".npy", {bytesOf(header), elements});
    }
  }
  if (!single)
    archive.finish();
  file.commit();
}

} // namespace formwork::runtime
