// model.weights.h5; see Weights.h. The file is made and read in memory: HDF5 never opens a path.
#include "runtime/keras_io/Weights.h"

#include "runtime/Error.h"
#include "runtime/Layout.h"
#include "runtime/keras_io/Isolated.h"

#include <algorithm>
#include <hdf5.h>
#include <new>
#include <string_view>

namespace formwork::runtime {

namespace {
/// An HDF5 identifier that is closed when it goes.
class Handle {
public:
  using Close = herr_t(hid_t);
  Handle(hid_t id, Close *close) : id(id), close(close) {}
  Handle(Handle &&other) : id(other.id), close(other.close) { other.id = H5I_INVALID_HID; }
  Handle &operator=(Handle &&) = delete;
  ~Handle() {
    if (id >= 0)
      close(id);
  }
  operator hid_t() const { return id; }
  bool valid() const { return id >= 0; }

private:
  hid_t id;
  Close *close;
};
} // namespace

bool belongsToOptimizer(const formwork_variable &variable) {
  return hasPath(variable) && std::string_view(variable.path).starts_with("optimizer/");
}

static hid_t nativeType(int32_t dtype) {
  switch (dtype) {
  case FORMWORK_BOOL:
    return H5T_NATIVE_UINT8;
  case FORMWORK_I32:
    return H5T_NATIVE_INT32;
  case FORMWORK_I64:
    return H5T_NATIVE_INT64;
  case FORMWORK_F32:
    return H5T_NATIVE_FLOAT;
  default:
    return H5T_NATIVE_DOUBLE;
  }
}

/// Nothing is printed by the library, and no filter is loaded from outside of it.
static void quieten() {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5PLset_loading_state(0);
}

/// Access to a file in memory.
static Handle memoryAccess() {
  Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_fapl_core(access, /*increment=*/1 << 20, /*backing_store=*/false);
  return access;
}

//===--- writing ----------------------------------------------------------------------------------

static bool writeVariable(hid_t file, const formwork_variable &variable,
                          const std::byte *variables) {
  std::vector<std::byte> copy;
  const std::byte *elements = elementsOf(variable, variables, copy);
  Handle links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  H5Pset_create_intermediate_group(links, 1);
  Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(creation, false); // the same state gives the same bytes
  std::vector<hsize_t> sizes(variable.shape, variable.shape + variable.rank);
  Handle space(variable.rank ? H5Screate_simple(variable.rank, sizes.data(), nullptr)
                             : H5Screate(H5S_SCALAR),
               H5Sclose);
  hid_t type = nativeType(variable.dtype);
  Handle dataset(H5Dcreate2(file, variable.path, type, space, links, creation, H5P_DEFAULT),
                 H5Dclose);
  return dataset.valid() && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, elements) >= 0;
}

std::vector<std::byte> makeWeights(const formwork_model &model, const std::byte *bytes) {
  quieten();
  Handle access = memoryAccess();
  Handle file(H5Fcreate("weights", H5F_ACC_TRUNC, H5P_DEFAULT, access), H5Fclose);
  for (const formwork_variable &variable : variables(model))
    if (hasPath(variable) && !writeVariable(file, variable, bytes))
      throw Error(text("variable '%s' cannot be put at '%s' of a Keras weights file", variable.name,
                       variable.path));
  H5Fflush(file, H5F_SCOPE_GLOBAL);
  ssize_t size = H5Fget_file_image(file, nullptr, 0);
  std::vector<std::byte> image(size > 0 ? size : 0);
  if (size <= 0 || H5Fget_file_image(file, image.data(), image.size()) != size)
    throw std::bad_alloc();
  return image;
}

//===--- reading ----------------------------------------------------------------------------------

/// Why there is no object at the path in this very file; null if there is one.
static const char *whyAbsent(hid_t file, const std::string &path) {
  for (size_t end = 0; end != std::string::npos;) {
    end = path.find('/', end + 1);
    H5L_info_t info;
    if (H5Lget_info(file, path.substr(0, end).c_str(), &info, H5P_DEFAULT) < 0)
      return "is not in the archive";
    if (info.type == H5L_TYPE_EXTERNAL)
      return "is a link to another file, which is not opened,";
    if (info.type != H5L_TYPE_HARD)
      return "is a symbolic link, which is not followed,";
  }
  return nullptr;
}

/// Why the elements are not to be read; null if they are.
static const char *wrongStorage(hid_t dataset) {
  Handle creation(H5Dget_create_plist(dataset), H5Pclose);
  if (!creation.valid())
    return "is damaged";
  if (H5Pget_external_count(creation) != 0 || H5Pget_layout(creation) == H5D_VIRTUAL)
    return "is stored in other files, which are not opened,";
  return nullptr;
}

static bool hasShape(hid_t dataset, const formwork_variable &variable) {
  Handle space(H5Dget_space(dataset), H5Sclose);
  std::vector<hsize_t> sizes(variable.rank);
  if (!space.valid() || H5Sget_simple_extent_ndims(space) != variable.rank ||
      H5Sget_simple_extent_type(space) == H5S_NULL)
    return false;
  H5Sget_simple_extent_dims(space, sizes.data(), nullptr);
  return std::equal(sizes.begin(), sizes.end(), variable.shape,
                    [](hsize_t a, int64_t b) { return a == hsize_t(b); });
}

static bool isNumeric(hid_t dataset) {
  Handle type(H5Dget_type(dataset), H5Tclose);
  H5T_class_t kind = H5Tget_class(type);
  return kind == H5T_INTEGER || kind == H5T_FLOAT || kind == H5T_ENUM; // booleans are enums
}

/// Reads one variable; says why it could not, or null.
static const char *readVariable(hid_t file, const formwork_variable &variable, std::byte *to) {
  if (const char *why = whyAbsent(file, variable.path))
    return why;
  Handle dataset(H5Dopen2(file, variable.path, H5P_DEFAULT), H5Dclose);
  if (!dataset.valid())
    return "is no readable array";
  if (const char *why = wrongStorage(dataset))
    return why;
  if (!isNumeric(dataset))
    return "holds no numbers";
  if (!hasShape(dataset, variable))
    return "has another shape";
  if (H5Dread(dataset, nativeType(variable.dtype), H5S_ALL, H5S_ALL, H5P_DEFAULT, to) < 0)
    return "is damaged";
  return nullptr;
}

static hsize_t countOptimizerVariables(hid_t file) {
  H5G_info_t info = {};
  if (!whyAbsent(file, "optimizer/vars"))
    H5Gget_info_by_name(file, "optimizer/vars", &info, H5P_DEFAULT);
  return info.nlinks;
}

/// In the child: what became of each variable that has a path, and how many the optimizer has.
static void readAll(std::span<const std::byte> image, const formwork_model &model,
                    IsolatedWriter &out) {
  quieten();
  Handle access = memoryAccess();
  // The library copies the image.
  H5Pset_file_image(access, const_cast<std::byte *>(image.data()), image.size());
  Handle file(H5Fopen("weights", H5F_ACC_RDONLY, access), H5Fclose);
  out.number(file.valid());
  if (!file.valid())
    return;
  for (const formwork_variable &variable : variables(model)) {
    if (!hasPath(variable))
      continue;
    std::vector<std::byte> value(byteSize(variable));
    const char *why = readVariable(file, variable, value.data());
    out.words(why ? why : "");
    if (!why)
      out.bytes(value.data(), value.size());
  }
  out.number(countOptimizerVariables(file));
}

namespace {
/// The child's answer.
struct Stored {
  struct Value {
    const formwork_variable *variable;
    std::string why; // it has none; empty if it has
    std::vector<std::byte> bytes;
  };
  bool valid = false;
  std::vector<Value> values;
  uint64_t optimizerVariables = 0;

  bool receive(const formwork_model &model, IsolatedReader &in) {
    uint64_t opened = 0;
    if (!in.number(opened, 1) || !opened)
      return false;
    for (const formwork_variable &variable : variables(model)) {
      if (!hasPath(variable))
        continue;
      Value &value = values.emplace_back(Value{&variable, "", {}});
      if (!in.words(value.why))
        return false;
      value.bytes.resize(value.why.empty() ? byteSize(variable) : 0);
      if (!in.bytes(value.bytes.data(), value.bytes.size()))
        return false;
    }
    return in.number(optimizerVariables);
  }
};
} // namespace

/// What the child may need: a copy of the file, and the largest variable.
static uint64_t memoryFor(std::span<const std::byte> image, const formwork_model &model) {
  int64_t largest = 0;
  for (const formwork_variable &variable : variables(model))
    largest = std::max(largest, byteSize(variable));
  return (uint64_t(64) << 20) + 2 * image.size() + uint64_t(largest);
}

bool readWeights(std::span<const std::byte> image, const std::string &path,
                 const formwork_model &model, std::byte *bytes) {
  Stored stored;
  if (!runIsolated(
          memoryFor(image, model), [&](IsolatedWriter &out) { readAll(image, model, out); },
          [&](IsolatedReader &in) { return stored.receive(model, in); }))
    throw Error(text("%s: its model.weights.h5 is damaged", path.c_str()));
  Mistakes mistakes;
  uint64_t optimizerVariables = 0;
  bool complete = true;
  for (const auto &[variable, why, value] : stored.values) {
    if (belongsToOptimizer(*variable)) {
      ++optimizerVariables;
      complete &= why.empty();
    } else if (!why.empty() && variable->role == FORMWORK_WEIGHT) {
      mistakes.add(text("%s: variable %s (%s%s) %s at %s: is it the archive of another model?",
                        path.c_str(), quoted(variable->name).c_str(), dtypeName(variable->dtype),
                        describeShape(shape(*variable)).c_str(), why.c_str(),
                        quoted(variable->path).c_str()));
    }
  }
  mistakes.raise();
  // As Keras: the state of another optimizer is left alone.
  complete &= optimizerVariables == stored.optimizerVariables;
  for (const auto &[variable, why, value] : stored.values)
    if (why.empty() && (complete || !belongsToOptimizer(*variable)))
      writeElements(*variable, bytes, value.data());
  return complete;
}

} // namespace formwork::runtime
