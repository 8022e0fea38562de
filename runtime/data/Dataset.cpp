// A user's arrays, matched to what a model expects; see Dataset.h.
#include "runtime/data/Dataset.h"

#include "runtime/data/ArrayFile.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <optional>
#include <sys/stat.h>

namespace formwork::runtime {

namespace {
/// The arrays on offer, from one or several files.
struct Offer {
  std::string origin;
  std::vector<std::string> names;
  std::function<Array(size_t)> read;

  std::optional<size_t> find(const std::string &name) const {
    for (size_t i = 0; i < names.size(); ++i)
      if (names[i] == name)
        return i;
    return std::nullopt;
  }
  std::string list() const {
    std::string result;
    constexpr size_t most = 20;
    for (size_t i = 0; i < std::min(names.size(), most); ++i)
      result += (i ? ", " : "") + quoted(names[i]) + " " + read(i).describe();
    if (names.size() > most)
      result += text(" and %zu more", names.size() - most);
    return result.empty() ? "nothing" : result;
  }
};
} // namespace

//===--- which array ------------------------------------------------------------------------------

/// What the tensor's array may be called, best first. `position` counts tensors of its role.
static std::vector<std::string> namesFor(const formwork_tensor &tensor, int position, int count,
                                         int overall, Part part) {
  const char *suffix = part == Part::Training ? "_train" : "_test";
  const char *letter = tensor.role == FORMWORK_INPUT    ? "x"
                       : tensor.role == FORMWORK_TARGET ? "y"
                                                        : "sample_weight";
  std::vector<std::string> names = {tensor.name};
  std::string general = count == 1 ? letter : text("%s_%d", letter, position);
  names.push_back(general);
  names.push_back(general + suffix);
  if (tensor.role != FORMWORK_SAMPLE_WEIGHT)
    names.push_back(text("arr_%d", overall));
  else if (count > 1)
    names.insert(names.end(), {letter, letter + std::string(suffix)});
  return names;
}

static bool isWeightsName(const std::string &name) {
  return name.starts_with("sample_weight") || endsWith(name, "_sample_weight");
}

static std::optional<size_t> findArray(const Offer &offer, const formwork_entry &entry,
                                       const std::vector<std::string> &names) {
  for (const std::string &name : names)
    if (auto found = offer.find(name))
      return found;
  // One array for a function that takes one: there is nothing to confuse it with.
  int wanted = 0;
  for (const formwork_tensor &tensor : buffers(entry))
    wanted += isData(tensor);
  if (wanted == 1 && offer.names.size() == 1)
    return 0;
  return std::nullopt;
}

//===--- its shape and values ---------------------------------------------------------------------

/// Whether a data shape fits the tensor's; binds symbols, whose sizes are -1 while unknown.
static bool bindShape(const std::vector<int64_t> &sizes, std::span<const int64_t> expected,
                      std::vector<int64_t> &dims) {
  if (sizes.size() != expected.size())
    return false;
  for (size_t axis = 1; axis < sizes.size(); ++axis) {
    if (expected[axis] >= 0) {
      if (sizes[axis] != expected[axis])
        return false;
      continue;
    }
    int64_t &size = dims[-1 - expected[axis]];
    if (size >= 0 && size != sizes[axis])
      return false;
    size = sizes[axis];
  }
  return true;
}

/// As Keras: [n] is taken for [n,1], and [n,1] for [n].
static void adjustRank(std::vector<int64_t> &sizes, std::span<const int64_t> expected) {
  if (sizes.size() + 1 == expected.size() && expected.back() == 1)
    sizes.push_back(1);
  else if (sizes.size() == expected.size() + 1 && sizes.back() == 1 && !expected.empty())
    sizes.pop_back();
}

static std::string roleName(const formwork_tensor &tensor) {
  return tensor.role == FORMWORK_INPUT    ? "input"
         : tensor.role == FORMWORK_TARGET ? "target"
                                          : "sample weights";
}

/// One weight for each sample, where the model takes more, is taken as often.
static bool isOnePerRow(const Column &column) {
  const std::vector<int64_t> &sizes = column.array.shape;
  return column.tensor->role == FORMWORK_SAMPLE_WEIGHT && column.tensor->rank > 1 &&
         !sizes.empty() &&
         std::all_of(sizes.begin() + 1, sizes.end(), [](int64_t size) { return size == 1; });
}

/// Adds a mistake if the column's array does not have the tensor's shape.
static void checkShape(Column &column, Dataset &data, Mistakes &mistakes) {
  const formwork_tensor &tensor = *column.tensor;
  const Array given = column.array;
  column.repeats = isOnePerRow(column);
  if (column.repeats)
    return;
  adjustRank(column.array.shape, shape(tensor));
  std::string dims;
  for (size_t symbol = 1; symbol < data.dims.size(); ++symbol)
    if (data.dims[symbol] >= 0)
      dims += text("; ?%zu is %lld from another array", symbol, (long long)data.dims[symbol]);
  if (!bindShape(column.array.shape, shape(tensor), data.dims))
    mistakes.add(text("%s: array %s is %s, but %s %s takes %s (the first size is the number of "
                      "samples%s). Reshape the array, or use a model made for it",
                      given.file.c_str(), quoted(given.name).c_str(), given.describe().c_str(),
                      roleName(tensor).c_str(), quoted(tensor.name).c_str(),
                      describe(tensor).c_str(), dims.c_str()));
}

static void checkRows(const Column &column, Dataset &data, Mistakes &mistakes) {
  int64_t rows = column.array.shape.empty() ? 0 : column.array.shape[0];
  const Column *first = data.columns.empty() ? nullptr : &data.columns.front();
  if (!first)
    data.rows = rows;
  else if (rows != data.rows)
    mistakes.add(text("%s: array %s has %lld samples, but %s has %lld: every array needs one "
                      "row per sample",
                      column.array.file.c_str(), quoted(column.array.name).c_str(), (long long)rows,
                      quoted(first->array.name).c_str(), (long long)data.rows));
}

static void finishColumn(Column &column) {
  ElementType wanted = elementType(formwork_dtype(column.tensor->dtype));
  column.convert = converter(column.array.type, wanted);
  column.rowElements = column.array.shape.empty() || !column.array.shape[0]
                           ? 0
                           : column.array.count() / column.array.shape[0];
  column.rowBytes = column.rowElements * elementSize(column.array.type);
  bool aligned = reinterpret_cast<uintptr_t>(column.array.data) % elementSize(wanted) == 0;
  column.direct =
      !column.repeats && column.array.type == wanted && wanted != ElementType::Bool && aligned;
}

//===--- all of them ------------------------------------------------------------------------------

static void describeMissing(const Offer &offer, const formwork_tensor &tensor,
                            const std::vector<std::string> &names, Mistakes &mistakes) {
  mistakes.add(text("%s: no array for %s %s, which takes %s. The file holds %s; name the array "
                    "%s or %s",
                    offer.origin.c_str(), roleName(tensor).c_str(), quoted(tensor.name).c_str(),
                    describe(tensor).c_str(), offer.list().c_str(), quoted(names[0]).c_str(),
                    quoted(names[1]).c_str()));
}

/// Sample weights that nobody gave are ones.
static Array ones(const formwork_tensor &tensor, int64_t rows) {
  auto values = std::make_shared<std::vector<double>>(rows, 1.0);
  return {"",
          tensor.name,
          ElementType::F64,
          {rows},
          reinterpret_cast<const std::byte *>(values->data()),
          values};
}

/// Weights that the model was not compiled to take would be left out silently.
static void checkUnusedWeights(const Offer &offer, const Dataset &data, Mistakes &mistakes) {
  for (const std::string &name : offer.names) {
    bool used = std::any_of(data.columns.begin(), data.columns.end(), [&](const Column &column) {
      return column.array.name == name || column.tensor->role == FORMWORK_SAMPLE_WEIGHT;
    });
    if (!used && isWeightsName(name))
      mistakes.add(text("%s: array %s would not be used, since the model was compiled without "
                        "weights of samples: compile it with --sample-weights, or give a file "
                        "without the array",
                        offer.origin.c_str(), quoted(name).c_str()));
  }
}

static Dataset match(const Offer &offer, const formwork_entry &entry, Part part) {
  Dataset data;
  data.dims.assign(entry.dim_count, -1);
  Mistakes mistakes;
  int count[3] = {}, position[3] = {}, overall = 0;
  for (const formwork_tensor &tensor : buffers(entry))
    if (isData(tensor))
      ++count[tensor.role];
  for (const formwork_tensor &tensor : buffers(entry)) {
    if (!isData(tensor))
      continue;
    auto names = namesFor(tensor, position[tensor.role]++, count[tensor.role], overall++, part);
    auto index = findArray(offer, entry, names);
    if (!index && tensor.role != FORMWORK_SAMPLE_WEIGHT) {
      describeMissing(offer, tensor, names, mistakes);
      continue;
    }
    Column column;
    column.tensor = &tensor;
    column.given = index.has_value();
    column.array = index ? offer.read(*index) : ones(tensor, data.rows);
    checkShape(column, data, mistakes);
    checkRows(column, data, mistakes);
    checkValues(column.array, elementType(formwork_dtype(tensor.dtype)), tensor.limit, mistakes);
    finishColumn(column);
    data.columns.push_back(std::move(column));
  }
  if (count[FORMWORK_TARGET])
    checkUnusedWeights(offer, data, mistakes);
  if (mistakes.empty() && data.rows == 0)
    mistakes.add(text("%s: holds no samples", offer.origin.c_str()));
  mistakes.raise();
  return data;
}

Dataset loadDataset(const std::vector<std::string> &paths, const formwork_entry &entry, Part part) {
  std::vector<ArrayFile> files;
  std::vector<std::pair<size_t, size_t>> places; // of each array: its file, its index there
  Offer offer;
  for (const std::string &path : paths) {
    files.emplace_back(path);
    offer.origin += (offer.origin.empty() ? "" : ", ") + path;
    for (size_t i = 0; i < files.back().names().size(); ++i) {
      offer.names.push_back(files.back().names()[i]);
      places.emplace_back(files.size() - 1, i);
    }
  }
  offer.read = [&](size_t i) { return files[places[i].first].read(places[i].second); };
  return match(offer, entry, part);
}

Dataset makeDataset(std::vector<Array> arrays, const std::string &origin,
                    const formwork_entry &entry, Part part) {
  Offer offer;
  offer.origin = origin;
  for (Array &array : arrays) {
    array.file = origin;
    offer.names.push_back(array.name);
  }
  offer.read = [&](size_t i) { return arrays[i]; };
  return match(offer, entry, part);
}

bool holdSampleWeights(const std::vector<std::string> &files) {
  return std::any_of(files.begin(), files.end(), [](const std::string &file) {
    struct stat status;
    if (stat(file.c_str(), &status) || !S_ISREG(status.st_mode))
      return false;
    try {
      std::vector<std::string> names = arrayNames(file);
      return std::any_of(names.begin(), names.end(), isWeightsName);
    } catch (const Error &) {
      return false; // What is wrong with it is told by who reads it.
    }
  });
}

const Column *Dataset::find(const formwork_tensor &tensor) const {
  for (const Column &column : columns)
    if (column.tensor->role == tensor.role && !strcmp(column.tensor->name, tensor.name))
      return &column;
  return nullptr;
}

} // namespace formwork::runtime
