// The command line of a produced program: one table of commands, one of options.
#pragma once

#include "runtime/data/ClassWeights.h"
#include "runtime/train/Fit.h"

#include <optional>
#include <string>
#include <vector>

namespace formwork::runtime {

struct Command;

struct Options {
  const Command *command = nullptr;
  std::vector<std::string> data;
  std::vector<std::string> validationData;
  std::string output;
  std::string weights;
  int64_t epochs = 1;
  int64_t batchSize = 32;
  int64_t stepsPerEpoch = 0;
  double validationSplit = 0;
  ClassWeights classWeights; // empty: none
  bool shuffle = true;
  bool terminateOnNaN = true;
  std::optional<int64_t> seed;         // else the checkpoint's, else 0
  std::optional<int64_t> initialEpoch; // else the checkpoint's, else 0
  int threads = 0;
  bool json = false;
  bool profile = false;
  bool quiet = false;
};

struct Command {
  const char *name;
  const char *summary;
  int (*run)(const formwork_model &, const Options &);
  const char *options; // the letters of the options that it takes
  const char *example; // its arguments in the help text
  const char *help;
};

/// What a help text says about an option; for `formwork train` and its like, which pass options on.
struct OptionText {
  const char *name;     // "data", for --data
  char letter;          // 'o' if there is -o as well, else 0
  const char *argument; // "FILE"; null if it takes none
  const char *help;     // with line ends
};

/// The options of a command, in the order of its help text.
std::vector<OptionText> optionTexts(const char *command);

/// Reads the arguments; throws UsageError. Nothing if a help text was asked for and printed.
std::optional<Options> parseOptions(int argc, char **argv, const formwork_model &);

// The commands.
int train(const formwork_model &, const Options &);
int evaluateCommand(const formwork_model &, const Options &);
int predictCommand(const formwork_model &, const Options &);
int convertCommand(const formwork_model &, const Options &);
int bench(const formwork_model &, const Options &);
int summary(const formwork_model &, const Options &);

} // namespace formwork::runtime
