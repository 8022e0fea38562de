// Reads weights from an HDF5 file in memory.
//
// Only what Keras writes is accepted: numbers, stored densely in the file itself. Links to other
// files, virtual and external datasets would read what the user did not name; compressed ones would
// allocate what is not there.
#include "frontend/keras/Weights.h"

#include "mlir/IR/Builders.h"

#include <hdf5.h>
#include <hdf5_hl.h>

#include <utility>

using namespace mlir;

namespace formwork::keras {

namespace {
/// An HDF5 identifier that is closed with the function of its kind.
class Handle {
public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id(id), close(close) {}
  Handle(Handle &&other) noexcept : id(std::exchange(other.id, -1)), close(other.close) {}
  ~Handle() {
    if (id >= 0)
      close(id);
  }
  operator hid_t() const { return id; }
  explicit operator bool() const { return id >= 0; }

private:
  hid_t id;
  herr_t (*close)(hid_t);
};

/// HDF5 prints its errors unless told not to; ours name the user's objects instead.
class QuietErrors {
public:
  QuietErrors() {
    H5Eget_auto2(H5E_DEFAULT, &function, &data);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~QuietErrors() { H5Eset_auto2(H5E_DEFAULT, function, data); }

private:
  H5E_auto2_t function = nullptr;
  void *data = nullptr;
};
} // namespace

struct WeightFile::File {
  std::string bytes; // HDF5 reads from here, without a copy
  Handle id;
  uint64_t unread = bytes.size(); // what may still be asked for

  File(std::string given) : bytes(std::move(given)), id(openImage(), H5Fclose) {}

private:
  hid_t openImage() {
    QuietErrors quiet;
    return H5LTopen_file_image(bytes.data(), bytes.size(),
                               H5LT_FILE_IMAGE_DONT_COPY | H5LT_FILE_IMAGE_DONT_RELEASE);
  }
};

WeightFile::WeightFile(std::unique_ptr<File> file) : file(std::move(file)) {}
WeightFile::WeightFile(WeightFile &&) noexcept = default;
WeightFile::~WeightFile() = default;

std::variant<WeightFile, std::string> WeightFile::open(std::string bytes) {
  if (bytes.substr(0, 8) != "\x89HDF\r\n\x1a\n")
    return std::string("is no HDF5 file");
  auto file = std::make_unique<File>(std::move(bytes));
  if (!file->id)
    return std::string("is truncated or corrupt");
  return WeightFile(std::move(file));
}

//===--- objects ---------------------------------------------------------------------------------

/// Why there is no object at `path`; empty if there is one. Follows hard links only, since soft
/// ones may loop and external ones leave the file.
static std::string whyAbsent(hid_t file, const std::string &path) {
  for (size_t end = path.find('/');; end = path.find('/', end + 1)) {
    std::string prefix = path.substr(0, end);
    H5L_info_t link;
    if (H5Lexists(file, prefix.c_str(), H5P_DEFAULT) <= 0 ||
        H5Lget_info(file, prefix.c_str(), &link, H5P_DEFAULT) < 0)
      return "is not in the file";
    if (link.type == H5L_TYPE_EXTERNAL)
      return "is a link to another file, which is not opened";
    if (link.type != H5L_TYPE_HARD)
      return "is a symbolic link, which is not followed";
    if (end == path.npos)
      return "";
  }
}

static bool exists(hid_t file, const std::string &path) { return whyAbsent(file, path).empty(); }

std::optional<uint64_t> WeightFile::members(const std::string &path) const {
  QuietErrors quiet;
  if (!exists(file->id, path))
    return {};
  Handle group(H5Gopen2(file->id, path.c_str(), H5P_DEFAULT), H5Gclose);
  H5G_info_t info;
  if (!group || H5Gget_info(group, &info) < 0)
    return {};
  return info.nlinks;
}

namespace {
/// A dataset of numbers, opened and checked.
class Dataset {
public:
  /// Says in `problem` why not, if it cannot be read.
  Dataset(hid_t file, const std::string &path, std::string &problem)
      : id(exists(file, path) ? H5Dopen2(file, path.c_str(), H5P_DEFAULT) : -1, H5Dclose),
        type(id ? H5Dget_type(id) : -1, H5Tclose), space(id ? H5Dget_space(id) : -1, H5Sclose) {
    problem = whyAbsent(file, path);
    if (problem.empty() && (!id || !type || !space))
      problem = "is no readable dataset";
    else if (problem.empty() && !readShape())
      problem = "has no shape that a tensor can have";
    else if (problem.empty())
      problem = wrongStorage();
  }

  hid_t handle() const { return id; }
  ArrayRef<int64_t> shape() const { return sizes; }
  H5T_class_t kind() const { return H5Tget_class(type); }
  size_t elementSize() const { return H5Tget_size(type); }

private:
  bool readShape() {
    int rank = H5Sget_simple_extent_ndims(space);
    if (H5Sis_simple(space) <= 0 || H5Sget_simple_extent_type(space) == H5S_NULL || rank < 0)
      return false;
    std::vector<hsize_t> extent(rank);
    if (H5Sget_simple_extent_dims(space, extent.data(), nullptr) != rank)
      return false;
    // A product that does not overflow, since each dataset is to be compared with what is there.
    for (hsize_t size : extent) {
      if (size > maximumElements || (size != 0 && elements > maximumElements / size))
        return false;
      elements *= size;
      sizes.push_back(int64_t(size));
    }
    return true;
  }

  /// Why not as many bytes as the shape says are in this file, not packed; empty if they are.
  std::string wrongStorage() const {
    Handle properties(H5Dget_create_plist(id), H5Pclose);
    H5D_layout_t layout = properties ? H5Pget_layout(properties) : H5D_LAYOUT_ERROR;
    if (!properties || layout == H5D_LAYOUT_ERROR)
      return "is no readable dataset";
    if (H5Pget_external_count(properties) != 0 || layout == H5D_VIRTUAL)
      return "is stored in other files, which are not opened";
    if (H5Pget_nfilters(properties) != 0 || layout == H5D_CHUNKED)
      return "is compressed or in chunks, as Keras stores no weights";
    if (elements != 0 && H5Dget_storage_size(id) != elements * elementSize())
      return "is truncated: the file does not hold as many elements as its shape says";
    return "";
  }

  static constexpr uint64_t maximumElements = uint64_t(1) << 40;
  Handle id, type, space;
  std::vector<int64_t> sizes;
  uint64_t elements = 1;
};
} // namespace

static bool isNumeric(const Dataset &dataset) {
  return dataset.kind() == H5T_FLOAT || dataset.kind() == H5T_INTEGER;
}

/// The type in memory that holds elements of `type`; negative if there is none.
static hid_t nativeType(Type type) {
  if (type.isF32())
    return H5T_NATIVE_FLOAT;
  if (type.isF64())
    return H5T_NATIVE_DOUBLE;
  if (type.isInteger(32))
    return H5T_NATIVE_INT32;
  if (type.isInteger(64))
    return H5T_NATIVE_INT64;
  return -1;
}

static std::string shapeText(ArrayRef<int64_t> shape) {
  std::string text = "(";
  for (int64_t size : shape)
    text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + ")";
}

//===--- reading ---------------------------------------------------------------------------------

std::optional<std::vector<char>> WeightFile::read(const std::string &path, RankedTensorType type,
                                                  std::string &problem) {
  QuietErrors quiet;
  problem.clear();
  Dataset dataset(file->id, path, problem);
  if (!problem.empty())
    return {};
  if (!isNumeric(dataset))
    return problem = "holds no numbers", std::nullopt;
  if (dataset.shape() != type.getShape()) {
    problem = "has shape " + shapeText(dataset.shape()) + " where the model needs " +
              shapeText(type.getShape());
    return {};
  }
  uint64_t size = uint64_t(type.getNumElements()) * (type.getElementTypeBitWidth() / 8);
  // Two names for the same bytes would let a small file ask for much memory.
  if (size > file->unread)
    return problem = "makes the weights larger than the file that holds them", std::nullopt;
  file->unread -= size;
  std::vector<char> data(size);
  if (size != 0 && H5Dread(dataset.handle(), nativeType(type.getElementType()), H5S_ALL, H5S_ALL,
                           H5P_DEFAULT, data.data()) < 0)
    return problem = "is truncated or corrupt", std::nullopt;
  return data;
}

RankedTensorType WeightFile::typeOf(MLIRContext &context, const std::string &path,
                                    std::string &problem) {
  QuietErrors quiet;
  problem.clear();
  Dataset dataset(file->id, path, problem);
  if (!problem.empty())
    return {};
  Builder builder(&context);
  unsigned bits = unsigned(dataset.elementSize()) * 8;
  bool known = bits == 32 || bits == 64;
  if (dataset.kind() == H5T_FLOAT && known)
    return RankedTensorType::get(dataset.shape(),
                                 bits == 32 ? Type(builder.getF32Type()) : builder.getF64Type());
  if (dataset.kind() == H5T_INTEGER && known)
    return RankedTensorType::get(dataset.shape(), builder.getIntegerType(bits));
  problem = "holds neither float32, float64, int32 nor int64";
  return {};
}

//===--- whole models ----------------------------------------------------------------------------

/// What Keras writes is neither this many nor this deep.
static constexpr size_t mostDatasets = 100'000;
static constexpr unsigned deepest = 32;

std::optional<std::string> WeightFile::attribute(const std::string &name) const {
  QuietErrors quiet;
  Handle attribute(
      H5Aexists(file->id, name.c_str()) > 0 ? H5Aopen(file->id, name.c_str(), H5P_DEFAULT) : -1,
      H5Aclose);
  Handle type(attribute ? H5Aget_type(attribute) : -1, H5Tclose);
  Handle space(attribute ? H5Aget_space(attribute) : -1, H5Sclose);
  // One string, which is in the file: no larger than that.
  if (!type || !space || H5Tget_class(type) != H5T_STRING ||
      H5Sget_simple_extent_npoints(space) != 1)
    return {};
  if (H5Tis_variable_str(type) > 0) {
    char *data = nullptr;
    if (H5Aread(attribute, type, &data) < 0 || !data)
      return {};
    std::string text(data);
    H5free_memory(data);
    return text;
  }
  size_t size = H5Tget_size(type);
  if (size > file->bytes.size())
    return {};
  std::string text(size, '\0');
  if (H5Aread(attribute, type, text.data()) < 0)
    return {};
  return text.substr(0, text.find('\0'));
}

namespace {
/// A list of strings, opened and checked: of any length as h5py writes a list, of one as it writes
/// an array.
class StringList {
public:
  StringList(hid_t group, const std::string &name)
      : id(H5Aexists(group, name.c_str()) > 0 ? H5Aopen(group, name.c_str(), H5P_DEFAULT) : -1,
           H5Aclose),
        type(id ? H5Aget_type(id) : -1, H5Tclose), space(id ? H5Aget_space(id) : -1, H5Sclose) {}

  /// False if there is none, or none that fits into `most` bytes.
  bool appendTo(std::vector<std::string> &strings, size_t most) const {
    if (!type || !space || H5Tget_class(type) != H5T_STRING)
      return false;
    hssize_t count = H5Sget_simple_extent_npoints(space);
    size_t length = H5Tget_size(type);
    if (count < 0 || length == 0 || size_t(count) > most / length)
      return false;
    return H5Tis_variable_str(type) > 0 ? appendOfAnyLength(strings, size_t(count))
                                        : appendPadded(strings, size_t(count), length);
  }

private:
  bool appendPadded(std::vector<std::string> &strings, size_t count, size_t length) const {
    std::vector<char> text(count * length);
    if (count != 0 && H5Aread(id, type, text.data()) < 0)
      return false;
    for (size_t at = 0; at < text.size(); at += length) {
      std::string_view padded(text.data() + at, length);
      strings.emplace_back(padded.substr(0, padded.find('\0')));
    }
    return true;
  }

  /// They may all be one that is as large as the file: the process that reads has as much memory as
  /// the file deserves, and ends there.
  bool appendOfAnyLength(std::vector<std::string> &strings, size_t count) const {
    std::vector<char *> texts(count, nullptr);
    if (count != 0 && H5Aread(id, type, texts.data()) < 0)
      return false;
    for (const char *text : texts)
      strings.emplace_back(text ? text : "");
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, texts.data());
    return true;
  }

  Handle id, type, space;
};
} // namespace

std::optional<std::vector<std::string>> WeightFile::names(const std::string &path,
                                                          const std::string &name) const {
  QuietErrors quiet;
  std::vector<std::string> strings;
  Handle group(exists(file->id, path) ? H5Gopen2(file->id, path.c_str(), H5P_DEFAULT) : -1,
               H5Gclose);
  size_t most = file->bytes.size(), part = 0;
  if (!group)
    return {};
  if (StringList(group, name).appendTo(strings, most))
    return strings;
  while (strings.size() < mostDatasets &&
         StringList(group, name + std::to_string(part)).appendTo(strings, most))
    ++part;
  return part ? std::optional(std::move(strings)) : std::nullopt;
}

/// Groups may contain themselves.
static void collect(hid_t file, const std::string &path, unsigned depth,
                    std::vector<std::string> &found) {
  Handle group(H5Gopen2(file, path.c_str(), H5P_DEFAULT), H5Gclose);
  H5G_info_t info;
  if (!group || depth > deepest || H5Gget_info(group, &info) < 0)
    return;
  for (hsize_t i = 0; i < info.nlinks && found.size() < mostDatasets; ++i) {
    ssize_t length =
        H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, nullptr, 0, H5P_DEFAULT);
    if (length <= 0)
      return;
    std::string name(length + 1, '\0');
    H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name.data(), name.size(),
                       H5P_DEFAULT);
    name.pop_back();
    std::string member = path + "/" + name;
    if (!exists(group, name))
      continue;
    Handle object(H5Oopen(group, name.c_str(), H5P_DEFAULT), H5Oclose);
    if (object && H5Iget_type(object) == H5I_DATASET)
      found.push_back(member);
    else if (object && H5Iget_type(object) == H5I_GROUP)
      collect(file, member, depth + 1, found);
  }
}

std::vector<std::string> WeightFile::datasets(const std::string &group) const {
  QuietErrors quiet;
  std::vector<std::string> found;
  if (exists(file->id, group))
    collect(file->id, group, 0, found);
  return found;
}

} // namespace formwork::keras
