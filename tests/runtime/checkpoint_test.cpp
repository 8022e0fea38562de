// The state's own file format, and files that are replaced in one step.
#include "runtime/io/Checkpoint.h"

#include "runtime/Error.h"
#include "tests/runtime/linear_model.h"
#include "tests/runtime/testing.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/resource.h>

using namespace formwork::runtime;

namespace {
class Checkpoint : public testing::Test {
protected:
  Checkpoint() : instance(*linear_model(), {}) { instance.initialize(4); }
  LinearState &state() { return *reinterpret_cast<LinearState *>(instance.writableVariables()); }
  Instance instance;
};
} // namespace

static void writeText(const std::string &name, const std::string &words) {
  std::ofstream(temporary(name), std::ios::binary) << words;
}

static std::string readText(const std::string &name) {
  std::ifstream stream(temporary(name), std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// A safetensors file of that header and so many bytes of data.
static std::string makeFile(const std::string &header, size_t data) {
  uint64_t size = header.size();
  return std::string(reinterpret_cast<const char *>(&size), 8) + header + std::string(data, '\0');
}

TEST_F(Checkpoint, HoldsEveryVariableButMetricSums) {
  saveCheckpoint(temporary("s.safetensors"), instance, {2, 9, true, true});
  EXPECT_EQ(python(R"(
import json, struct
data = open('s.safetensors', 'rb').read()
size, = struct.unpack('<Q', data[:8])
header = json.loads(data[8:8 + size])
print(header.pop('__metadata__'))
print(sorted(header))
begin, end = header['linear/kernel']['data_offsets']
print(struct.unpack('<3f', data[8 + size + begin:8 + size + end])[1] == struct.unpack('<f', struct.pack('<f', .2))[0])
)"),
            "{'format': 'formwork', 'model': 'linear', 'epoch': '2', 'seed': '9'}\n"
            "['linear/bias', 'linear/kernel', 'rng', 'sgd/iterations', 'sgd/learning_rate', "
            "'sgd/linear/bias/momentum', 'sgd/linear/kernel/momentum']\nTrue\n");
}

TEST_F(Checkpoint, OfWeightsAloneLeavesTheOptimizer) {
  python(R"(
import json, struct
header = json.dumps({'linear/kernel': {'dtype': 'F32', 'shape': [3, 1], 'data_offsets': [0, 12]},
                     'linear/bias': {'dtype': 'F32', 'shape': [1], 'data_offsets': [12, 16]}})
open('w.safetensors', 'wb').write(struct.pack('<Q', len(header)) + header.encode() +
                                  struct.pack('<4f', 1, 2, 3, 4))
)");
  state().iterations = 5;
  Position position = loadCheckpoint(temporary("w.safetensors"), instance);
  EXPECT_FALSE(position.complete || position.known);
  EXPECT_EQ(state().kernel[2], 3);
  EXPECT_EQ(state().bias[0], 4);
  EXPECT_EQ(state().iterations, 5);
}

TEST_F(Checkpoint, OfAnotherModelIsRefusedWithAllThatDiffers) {
  writeText(
      "other.safetensors",
      makeFile(R"({"linear/kernel":{"dtype":"F32","shape":[4,1],"data_offsets":[0,16]}})", 16));
  state().kernel[0] = 77;
  std::string message =
      messageOf([&] { loadCheckpoint(temporary("other.safetensors"), instance); });
  EXPECT_NE(message.find("'linear/kernel' is f32[4,1]"), std::string::npos) << message;
  EXPECT_NE(message.find("no array 'linear/bias'"), std::string::npos) << message;
  EXPECT_EQ(state().kernel[0], 77);
}

class BrokenHeaders : public testing::TestWithParam<const char *> {};

TEST_P(BrokenHeaders, AreRefused) {
  writeText("broken.safetensors", makeFile(GetParam(), 8));
  std::string message = messageOf(
      [] { readSafetensors(readFile(temporary("broken.safetensors")), "broken.safetensors"); });
  EXPECT_NE(message.find("not a sound safetensors file"), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(
    Safetensors, BrokenHeaders,
    testing::Values("", "{", "[]", "{} x", "{\"a\"}", "{\"a\":1}",
                    R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,9]}})",
                    R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})",
                    R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})",
                    R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})",
                    R"({"a":{"dtype":"X32","shape":[2],"data_offsets":[0,8]}})",
                    R"({"a":{"shape":[2],"data_offsets":[0,8]}})",
                    R"({"a":{"dtype":"F32","shape":[2]}})",
                    R"({"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}})",
                    // The same name twice; the same bytes twice.
                    R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},)"
                    R"("a":{"dtype":"I8","shape":[1],"data_offsets":[1,2]}})",
                    R"({"a":{"dtype":"I8","shape":[2],"data_offsets":[0,2]},)"
                    R"("b":{"dtype":"I8","shape":[2],"data_offsets":[1,3]}})"));

TEST_F(Checkpoint, SurvivesEveryDamagedByte) {
  saveCheckpoint(temporary("sound.safetensors"), instance, {1, 1, true, true});
  std::string sound = readText("sound.safetensors");
  for (size_t at = 0; at < sound.size(); ++at)
    for (char damage : {'\xff', '"', '\0', '9'}) {
      std::string damaged = sound;
      damaged[at] = damage;
      messageOf([&] { // an error or other values, but no crash
        FileBytes bytes{std::as_bytes(std::span(damaged)), nullptr};
        unpackState(readSafetensors(bytes, "damaged"), "damaged", *linear_model(),
                    instance.writableVariables(), isKept);
      });
    }
}

TEST_F(Checkpoint, KeepsTheOldFileWhenTheDiskIsFull) {
  std::string path = temporary("full.safetensors");
  saveCheckpoint(path, instance, {1, 1, true, true});
  std::string before = readText("full.safetensors");
  rlimit saved, tiny = {64, RLIM_INFINITY};
  getrlimit(RLIMIT_FSIZE, &saved);
  tiny.rlim_max = saved.rlim_max;
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &tiny);
  std::string message = messageOf([&] { saveCheckpoint(path, instance, {2, 1, true, true}); });
  setrlimit(RLIMIT_FSIZE, &saved);
  EXPECT_NE(message.find("cannot be written"), std::string::npos) << message;
  EXPECT_EQ(readText("full.safetensors"), before);
  for (auto &entry : std::filesystem::directory_iterator(temporary("")))
    EXPECT_NE(entry.path().extension(), ".part") << entry.path();
}

TEST_F(Checkpoint, InAnUnknownFormatIsRefused) {
  EXPECT_NE(
      messageOf([&] { saveCheckpoint(temporary("s.txt"), instance, {}); }).find(".safetensors"),
      std::string::npos);
  EXPECT_NE(messageOf([&] {
              saveCheckpoint("/nowhere/s.safetensors", instance, {});
            }).find("No such file or directory"),
            std::string::npos);
}
