// `.keras` archives that are truncated, corrupt, hostile or do not fit their configuration.
#include "frontend/keras/Archive.h"
#include "tests/frontend/Importing.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

#include <hdf5.h>
#include <zip.h>

using namespace formwork::test;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

std::string readFile(const std::string &path) {
  return (*llvm::MemoryBuffer::getFile(path))->getBuffer().str();
}

std::string golden() { return readFile(GOLDEN_FOLDER "/compiled.keras"); }

formwork::keras::Archive goldenParts() {
  return std::get<formwork::keras::Archive>(formwork::keras::unpack(golden()));
}

/// A path for a file that is gone when the test ends.
struct Temporary {
  llvm::SmallString<128> path;
  Temporary() { llvm::sys::fs::createTemporaryFile("formwork", "", path); }
  ~Temporary() { llvm::sys::fs::remove(path); }
};

/// A zip file of the given members, deflated.
std::string zip(const std::vector<std::pair<std::string, std::string>> &members) {
  Temporary file;
  int error = 0;
  zip_t *archive = zip_open(file.path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &error);
  for (auto &[name, data] : members)
    zip_file_add(archive, name.c_str(), zip_source_buffer(archive, data.data(), data.size(), 0), 0);
  zip_close(archive);
  return readFile(file.path.c_str());
}

std::string archive(const std::string &config, const std::string &weights) {
  return zip({{"metadata.json", "{}"}, {"config.json", config}, {"model.weights.h5", weights}});
}

/// An HDF5 file that `fill` has written.
std::string hdf5(llvm::function_ref<void(hid_t)> fill) {
  Temporary path;
  hid_t file = H5Fcreate(path.path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  fill(file);
  H5Fclose(file);
  return readFile(path.path.c_str());
}

void makeGroups(hid_t file, std::initializer_list<const char *> paths) {
  for (const char *path : paths)
    H5Gclose(H5Gcreate2(file, path, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

void write(hid_t file, const char *path, std::vector<hsize_t> shape, bool compressed = false) {
  std::vector<float> data(1 << 16, 0.5f);
  hid_t space = H5Screate_simple(int(shape.size()), shape.data(), nullptr);
  hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  if (compressed) {
    H5Pset_chunk(properties, int(shape.size()), shape.data());
    H5Pset_deflate(properties, 9);
  }
  hid_t dataset =
      H5Dcreate2(file, path, H5T_IEEE_F32LE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  H5Dwrite(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, data.data());
  H5Dclose(dataset);
  H5Pclose(properties);
  H5Sclose(space);
}

/// One Dense layer from 3 to 4 without bias.
const char *small =
    R"({"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": [
{"module": "keras.layers", "class_name": "InputLayer", "config": {"name": "x", "batch_shape": [null, 3]}},
{"module": "keras.layers", "class_name": "Dense", "config": {"name": "d", "units": 4, "use_bias": false}}]}})";

void makeSmall(hid_t file) { makeGroups(file, {"layers", "layers/dense", "layers/dense/vars"}); }

std::vector<std::string> diagnose(std::string bytes) {
  Importing importing(std::move(bytes));
  EXPECT_TRUE(failed(importing.model));
  return importing.diagnostics;
}

//===--- good ones -------------------------------------------------------------------------------

TEST(Archive, weights_come_with_their_variables) {
  Importing importing(archive(small, hdf5([](hid_t file) {
                                makeSmall(file);
                                write(file, "layers/dense/vars/0", {3, 4});
                              })));
  ASSERT_TRUE(succeeded(importing.model)) << testing::PrintToString(importing.diagnostics);
  ASSERT_EQ(importing.model->weights.size(), 1u);
  EXPECT_EQ(importing.model->weights[0].variable, "d/kernel");
  EXPECT_EQ(importing.model->weights[0].data.size(), 48u);
  EXPECT_EQ(importing.model->config, small);
}

//===--- archives --------------------------------------------------------------------------------

TEST(ArchiveErrors, truncated_anywhere) {
  std::string whole = golden();
  for (size_t length = 4; length < whole.size(); length += 7)
    EXPECT_THAT(diagnose(whole.substr(0, length)), ElementsAre(HasSubstr("truncated or corrupt")));
}

TEST(ArchiveErrors, one_wrong_byte_is_never_more_than_a_diagnostic) {
  std::string whole = golden();
  for (size_t at = 4; at < whole.size(); at += 3) {
    std::string changed = whole;
    changed[at] ^= 0x41;
    Importing importing(changed); // an offset in the directory may change nothing
    EXPECT_EQ(failed(importing.model), !importing.diagnostics.empty());
  }
}

TEST(ArchiveErrors, no_configuration) {
  EXPECT_THAT(diagnose(zip({{"a", "b"}})),
              ElementsAre(HasSubstr("its member config.json is missing")));
}

TEST(ArchiveErrors, no_weights) {
  EXPECT_THAT(diagnose(zip({{"config.json", small}})),
              ElementsAre(HasSubstr("its member model.weights.h5 is missing")));
}

TEST(ArchiveErrors, weights_in_npz) {
  EXPECT_THAT(diagnose(zip({{"config.json", small}, {"model.weights.npz", ""}})),
              ElementsAre(HasSubstr("keeps its weights in model.weights.npz")));
}

TEST(ArchiveErrors, member_that_unpacks_to_far_more_than_the_archive) {
  EXPECT_THAT(diagnose(archive(small, std::string(100 << 20, '\0'))),
              ElementsAre(HasSubstr("claims to unpack to 104857600 bytes")));
}

TEST(ArchiveErrors, more_members_than_any_model_has) {
  std::vector<std::pair<std::string, std::string>> members;
  for (int i = 0; i < 1100; ++i)
    members.push_back({std::to_string(i), ""});
  EXPECT_THAT(diagnose(zip(members)), ElementsAre(HasSubstr("more than 1000 members")));
}

//===--- weights ---------------------------------------------------------------------------------

TEST(ArchiveErrors, weights_that_are_no_hdf5_file) {
  EXPECT_THAT(diagnose(archive(small, "hello")),
              ElementsAre(HasSubstr("its model.weights.h5 is no HDF5 file")));
}

TEST(ArchiveErrors, truncated_weights) {
  std::string weights = goldenParts().weights;
  for (size_t length = 8; length < weights.size(); length += weights.size() / 40)
    EXPECT_FALSE(diagnose(archive(goldenParts().config, weights.substr(0, length))).empty());
}

TEST(ArchiveErrors, missing_variables_are_all_listed) {
  EXPECT_THAT(diagnose(archive(goldenParts().config, hdf5(makeSmall))),
              ElementsAre(HasSubstr("4 problems"),
                          HasSubstr("variable 'dense/kernel': dataset 'layers/dense/vars/0' of "
                                    "model.weights.h5 is not in the file"),
                          HasSubstr("'dense/bias'"), HasSubstr("'dense_1/kernel'"),
                          HasSubstr("'dense_1/bias'")));
}

TEST(ArchiveErrors, variable_of_another_shape) {
  EXPECT_THAT(diagnose(archive(small, hdf5([](hid_t file) {
                                 makeSmall(file);
                                 write(file, "layers/dense/vars/0", {4, 3});
                               }))),
              ElementsAre(HasSubstr("has shape (4, 3) where the model needs (3, 4)")));
}

TEST(ArchiveErrors, more_variables_than_the_model_has) {
  EXPECT_THAT(diagnose(archive(small, hdf5([](hid_t file) {
                                 makeSmall(file);
                                 write(file, "layers/dense/vars/0", {3, 4});
                                 write(file, "layers/dense/vars/1", {4});
                               }))),
              ElementsAre(HasSubstr("model.weights.h5 has 2 variables in 'layers/dense/vars', but "
                                    "the model has only 1")));
}

TEST(ArchiveErrors, compressed_variable) {
  EXPECT_THAT(diagnose(archive(small, hdf5([](hid_t file) {
                                 makeSmall(file);
                                 write(file, "layers/dense/vars/0", {3, 4}, /*compressed=*/true);
                               }))),
              ElementsAre(HasSubstr("is compressed or in chunks")));
}

TEST(ArchiveErrors, variable_in_another_file) {
  EXPECT_THAT(diagnose(archive(small, hdf5([](hid_t file) {
                                 makeSmall(file);
                                 H5Lcreate_external("/etc/passwd", "/x", file,
                                                    "layers/dense/vars/0", H5P_DEFAULT,
                                                    H5P_DEFAULT);
                               }))),
              ElementsAre(HasSubstr("is a link to another file, which is not opened")));
}

TEST(ArchiveErrors, links_that_go_in_circles) {
  EXPECT_THAT(diagnose(archive(small, hdf5([](hid_t file) {
                                 makeSmall(file);
                                 H5Lcreate_soft("/layers/dense/vars/0", file, "layers/dense/vars/0",
                                                H5P_DEFAULT, H5P_DEFAULT);
                               }))),
              ElementsAre(HasSubstr("is a symbolic link, which is not followed")));
}

TEST(ArchiveErrors, variables_that_share_their_bytes) {
  std::string layers;
  for (int i = 0; i < 64; ++i)
    layers += R"(, {"module": "keras.layers", "class_name": "Dense", "config": {"name": "d)" +
              std::to_string(i) + R"(", "units": 64, "use_bias": false}})";
  std::string config =
      R"({"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": [
{"module": "keras.layers", "class_name": "InputLayer", "config": {"name": "x", "batch_shape": [null, 64]}})" +
      layers + "]}}";
  std::string weights = hdf5([](hid_t file) {
    makeSmall(file);
    write(file, "layers/dense/vars/0", {64, 64});
    for (int i = 1; i < 64; ++i)
      H5Lcreate_hard(file, "layers/dense", file, ("layers/dense_" + std::to_string(i)).c_str(),
                     H5P_DEFAULT, H5P_DEFAULT);
  });
  EXPECT_THAT(
      diagnose(archive(config, weights)),
      testing::Contains(HasSubstr("makes the weights larger than the file that holds them")));
}

} // namespace
