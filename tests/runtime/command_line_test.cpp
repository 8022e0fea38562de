// A produced program as its user meets it: what it writes, what it says, its exit status.
#include "runtime/data/ArrayFile.h"
#include "tests/runtime/testing.h"

#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace formwork::runtime;

namespace {
struct Result {
  int status;
  std::string output; // standard output and errors
};

class CommandLine : public testing::Test {
protected:
  static void SetUpTestSuite() { writeArrays(temporary("data.npz"), linearData(200)); }
};
} // namespace

static Result run(const std::string &arguments) {
  std::string command = "cd '" + temporary("") + "' && " LINEAR_PROGRAM " " + arguments + " 2>&1";
  FILE *pipe = popen(command.c_str(), "r");
  Result result{0, ""};
  char buffer[4096];
  while (size_t got = fread(buffer, 1, sizeof(buffer), pipe))
    result.output.append(buffer, got);
  int status = pclose(pipe);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result;
}

static std::string readText(const std::string &name) {
  std::ifstream stream(temporary(name), std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

TEST_F(CommandLine, TrainsEvaluatesAndPredicts) {
  Result trained = run("train --data data.npz --epochs 30 --validation-split 0.2 -o t.safetensors");
  EXPECT_EQ(trained.status, 0) << trained.output;
  EXPECT_NE(trained.output.find("Epoch 30/30 - 5/5 - "), std::string::npos) << trained.output;
  EXPECT_NE(trained.output.find(" - val_mae: "), std::string::npos) << trained.output;
  EXPECT_EQ(trained.output.find('\r'), std::string::npos) << "redrawn where nobody watches";
  Result evaluated = run("evaluate --data data.npz --weights t.safetensors --json");
  Result predicted = run("predict --input data.npz --weights t.safetensors -o p.npy --quiet");
  EXPECT_EQ(evaluated.status, 0) << evaluated.output;
  EXPECT_EQ(predicted.output, "");
  std::ofstream(temporary("evaluated.json")) << evaluated.output;
  EXPECT_EQ(python(R"(
import json, numpy as np
data, p = np.load('data.npz'), np.load('p.npy')
mse = np.mean((p[:, 0] - data['y']) ** 2)
print(p.shape, abs(json.load(open('evaluated.json'))['loss'] - mse) < 1e-6, mse < 1e-3)
)"),
            "(200, 1) True True\n");
}

TEST_F(CommandLine, ResumesToTheSameFile) {
  std::string common = "train --data data.npz --seed 3 --quiet ";
  EXPECT_EQ(run(common + "--epochs 5 -o whole.safetensors").status, 0);
  EXPECT_EQ(run(common + "--epochs 2 -o cut.safetensors").status, 0);
  Result resumed = run("train --data data.npz --quiet --weights cut.safetensors --epochs 5 "
                       "--threads 3 -o resumed.safetensors");
  EXPECT_EQ(resumed.output, "");
  EXPECT_EQ(readText("whole.safetensors"), readText("resumed.safetensors"));
}

TEST_F(CommandLine, SaysWhatItMadeAsJson) {
  Result trained = run("train --data data.npz --epochs 3 --json");
  std::ofstream(temporary("trained.json")) << trained.output;
  std::ofstream(temporary("bench.json")) << run("bench --json --batch-size 32").output;
  std::ofstream(temporary("summary.json")) << run("summary --json").output;
  EXPECT_EQ(python(R"(
import json
t, b, s = (json.load(open(n + '.json')) for n in ('trained', 'bench', 'summary'))
print(t['samples'], sorted(t['history']), len(t['history']['loss']))
print([(f['function'], f['specialized'], f['median_seconds'] > 0) for f in b['functions']])
print(s['trainable_parameters'], s['variables'][0])
)"),
            "600 ['loss', 'mae'] 3\n"
            "[('predict', False, True), ('train_step', True, True)]\n"
            "4 {'name': 'linear/kernel', 'type': 'f32[3,1]'}\n");
}

TEST_F(CommandLine, RefusesAProfileOfWhatWasNotCompiledForOne) {
  Result profiled = run("bench --profile");
  EXPECT_EQ(profiled.status, 1);
  EXPECT_NE(profiled.output.find("was not compiled to be profiled"), std::string::npos)
      << profiled.output;
}

/// Not in every container.
static bool hasPseudoTerminals() {
  int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  return terminal >= 0 && close(terminal) == 0;
}

TEST_F(CommandLine, RedrawsOneLineOnATerminal) {
  if (!hasPseudoTerminals())
    GTEST_SKIP() << "this machine has no pseudo-terminals";
  std::string seen = python(R"(
import os, pty, subprocess, struct, fcntl, termios, numpy as np
rng = np.random.default_rng(0)
np.savez('large.npz', x=rng.uniform(-.5, .5, (400000, 3)).astype('f4'), y=np.ones(400000, 'f4'))
master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 60, 0, 0))
process = subprocess.Popen([')" LINEAR_PROGRAM
                            R"(', 'train', '--data', 'large.npz', '--epochs', '2',
                            '--batch-size', '1', '--threads', '1'], stdout=slave)
os.close(slave)
seen = b''
while True:
    try:
        piece = os.read(master, 65536)
    except OSError:
        break
    if not piece: break
    seen += piece
print(process.wait(), seen.decode().replace('\r\n', '\n').count('Epoch '))
import re
lines = seen.decode().replace('\r\n', '\n').split('\n')
bar = [line for line in lines if '━' in line]
print(len(bar), [line.count('400000/400000') for line in bar])
frames = bar[0].split('\r')[1:]
plain = [re.sub('\x1b\\[[0-9;]*[mK]', '', frame) for frame in frames]
print(len(frames) > 1, all(frame.endswith('\x1b[K') for frame in frames),
      all(len(frame) < 60 for frame in plain[:-1]), all(len(frame) > 20 for frame in plain))
)");
  EXPECT_EQ(seen, "0 2\n2 [1, 1]\nTrue True True True\n");
}

TEST_F(CommandLine, HelpsWithEveryCommand) {
  for (const char *command : {"", "train", "evaluate", "predict", "bench", "summary"}) {
    Result help = run(command + std::string(" --help"));
    EXPECT_EQ(help.status, 0) << command;
    EXPECT_NE(help.output.find("Usage: "), std::string::npos) << help.output;
  }
}

class Misuse : public testing::TestWithParam<std::pair<const char *, const char *>> {};

TEST_P(Misuse, IsToldWithStatus2) {
  auto [arguments, expected] = GetParam();
  Result result = run(arguments);
  EXPECT_EQ(result.status, 2) << result.output;
  EXPECT_EQ(result.output.rfind("linear: ", 0), 0u) << result.output;
  EXPECT_NE(result.output.find(expected), std::string::npos) << result.output;
}

INSTANTIATE_TEST_SUITE_P(
    CommandLine, Misuse,
    testing::Values(std::pair("", "a command is missing"),
                    std::pair("teach", "'teach' is not a command"),
                    std::pair("train", "--data FILE"),
                    std::pair("train --data data.npz --epochs none",
                              "--epochs none: a whole number"),
                    std::pair("train --data data.npz --epochs 0", "at least 1"),
                    std::pair("train --data data.npz --epochs 0 --batch-size x",
                              "--batch-size x: a whole number"),
                    std::pair("train --data data.npz --validation-split 1.5", "up to"),
                    std::pair("train --data data.npz --validation-split 0.1 --validation-data d",
                              "exclude each other"),
                    std::pair("train --data", "--data: a value is missing"),
                    std::pair("train --dada x", "--dada: is not an option"),
                    std::pair("train data.npz", "'data.npz' is more than was expected"),
                    std::pair("summary --data x", "--data: is not an option"),
                    std::pair("predict --input data.npz", "-o FILE")));

class Mistake : public testing::TestWithParam<std::pair<const char *, const char *>> {};

TEST_P(Mistake, IsToldWithStatus1) {
  auto [arguments, expected] = GetParam();
  writeArrays(temporary("data.npz"), linearData(200));
  std::ofstream(temporary("text.txt")) << "hello, this is text";
  std::ofstream(temporary("bytes.bin")) << "\1\2\3";
  Result result = run(arguments);
  EXPECT_EQ(result.status, 1) << result.output;
  EXPECT_EQ(result.output.rfind("linear: ", 0), 0u) << result.output;
  EXPECT_NE(result.output.find(expected), std::string::npos) << result.output;
}

INSTANTIATE_TEST_SUITE_P(
    CommandLine, Mistake,
    testing::Values(std::pair("train --data absent.npz", "absent.npz: cannot be opened"),
                    std::pair("train --data .", "is a folder"),
                    std::pair("train --data text.txt", "text.txt: holds no numbers"),
                    std::pair("train --data bytes.bin", "numpy.savez"),
                    std::pair("train --data data.npz --quiet -o model.txt", ".safetensors"),
                    std::pair("train --data data.npz --initial-epoch 1", "nothing to train"),
                    std::pair("train --data data.npz --quiet -o model.keras",
                              "without its Keras configuration"),
                    std::pair("evaluate --data data.npz --weights text.txt", "text.txt"),
                    std::pair("evaluate --data data.npz --weights data.npz",
                              "has no array 'linear/kernel', which model linear needs"),
                    std::pair("predict --input data.npz --quiet -o out.txt", ".npz")));

TEST_F(CommandLine, LooksAtTheOutputsNameBeforeItTrains) {
  Result result = run("train --data data.npz --epochs 2 -o model.txt");
  EXPECT_EQ(result.output.find("Epoch"), std::string::npos) << result.output;
}

TEST_F(CommandLine, TellsAllMistakesInFilesBeforeItTrains) {
  Result result = run("train --data absent.npz --validation-data gone.npz --epochs 2 "
                      "-o no/such/model.safetensors");
  EXPECT_EQ(result.status, 1);
  for (const char *expected : {"absent.npz: cannot be opened", "gone.npz: cannot be opened",
                               "no/such/model.safetensors: cannot be written"})
    EXPECT_NE(result.output.find(expected), std::string::npos) << result.output;
}
